// Refusals: how many, and their reasons in plain words. A reason of a newer server has none and is
// shown by its name.

export type CountByReason = [reason: string, count: number][];

/** How often something was refused, by the edge or by the broker before it. */
export function refusedOf(edge: { quarantined: CountByReason; brokerRefused: CountByReason }): number {
  return [...edge.quarantined, ...edge.brokerRefused].reduce((sum, [, count]) => sum + count, 0);
}

/** Why an edge put a message into its quarantine. */
export const EDGE_REASONS: Record<string, string> = {
  bad_topic: 'topic outside the agreed form',
  foreign_site: "another site's topic",
  bad_json: 'not JSON',
  bad_msgpack: 'not msgpack',
  bad_structure: 'fields missing or of the wrong kind',
  bad_value: 'NaN, infinite, too long or too big',
  bad_metric: 'metric name not allowed',
  bad_ts: 'time not understood',
  future_time: 'time too far ahead',
  bad_seq: 'sequence number not understood',
  payload_too_large: 'message too large',
  too_many_samples: 'too many samples in one message',
  too_many_series: 'too many series',
  not_permitted: 'sent to a topic of another device',
};

/** Why the broker let something not pass to the edge. */
export const BROKER_REASONS: Record<string, string> = {
  not_permitted: 'sent to a topic that the account may not use',
  payload_too_large: 'message too large',
  bad_topic: 'topic that MQTT or the broker does not allow',
  bad_client_id: 'client id with a dot, a blank, * or >',
  bad_login: 'wrong name or password',
  subscription_not_permitted: 'asked to read a topic that the account may not read',
  too_many_connections: 'more connections than the broker takes',
  slow_reader: 'a reader took its messages too slowly and was cut off',
  store_full: "the broker's store is full",
  queue_full: 'dropped because a queue of the broker was full',
  bad_packet: 'not what MQTT allows',
  bad_version: 'a version of MQTT that is not spoken here',
  qos_not_supported: 'quality of service 2, which is not offered',
  in_flight_exceeded: 'more messages at once than agreed',
  no_greeting: 'connected and did not say who it is',
  busy: 'too many sign-ins, or too many failed ones',
  buffers_full: 'too many unfinished messages at once',
  connects_too_fast: 'connected too often in a minute',
  other: "another reason, told in the broker's log",
};
