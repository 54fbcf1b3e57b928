-- by_username: usernames are kept in lower case
SELECT user_id, username, password_hash, roles, sites, state FROM account
WHERE username = %(username)s;

-- by_id: for tokens, which name only the id
SELECT user_id, username, password_hash, roles, sites, state FROM account
WHERE user_id = %(user_id)s;

-- all: for the command line and for the accounts that edges cache
SELECT user_id, username, password_hash, roles, sites, state FROM account
ORDER BY username;

-- add: returns nothing when the username is taken
INSERT INTO account (user_id, username, password_hash, roles, sites, state, first_name, last_name)
VALUES (%(user_id)s, %(username)s, %(password_hash)s, %(roles)s::text[], %(sites)s::text[],
    %(state)s, %(first_name)s, %(last_name)s)
ON CONFLICT (username) DO NOTHING
RETURNING user_id;

-- rehash: the same password at today's cost; not a change of password
UPDATE account SET password_hash = %(password_hash)s WHERE user_id = %(user_id)s;

-- change_password: whoever holds an old session must sign in again, see revoke_account
UPDATE account SET password_hash = %(password_hash)s, password_changed_at = now()
WHERE username = %(username)s
RETURNING user_id;

-- set_state: an account is disabled, not deleted: its id stands in records
UPDATE account SET state = %(state)s WHERE username = %(username)s
RETURNING user_id;

-- start_family: one row per sign-in
INSERT INTO refresh_family (family_id, user_id) VALUES (%(family_id)s, %(user_id)s);

-- add_token: only the hash is kept
INSERT INTO refresh_token (token_sha256, family_id, issued_ms, expires_ms)
VALUES (%(token_sha256)s, %(family_id)s, %(issued_ms)s, %(expires_ms)s);

-- lock_token: the family row is locked, so that of two exchanges of one token the second sees
-- what the first did
SELECT t.family_id, f.user_id
FROM refresh_token AS t JOIN refresh_family AS f USING (family_id)
WHERE t.token_sha256 = %(token_sha256)s
FOR UPDATE OF f;

-- token: read after lock_token by a statement of its own, whose snapshot is after the lock
SELECT t.expires_ms, t.used_ms IS NOT NULL, f.revoked_at IS NOT NULL
FROM refresh_token AS t JOIN refresh_family AS f USING (family_id)
WHERE t.token_sha256 = %(token_sha256)s;

-- use_token: a used token stays: it is how a copy is recognised
UPDATE refresh_token SET used_ms = %(now_ms)s WHERE token_sha256 = %(token_sha256)s;

-- revoke_family: every token of the sign-in at once
UPDATE refresh_family SET revoked_at = now()
WHERE family_id = %(family_id)s AND revoked_at IS NULL;

-- revoke_family_of: the same from one of its tokens
UPDATE refresh_family SET revoked_at = now()
WHERE revoked_at IS NULL AND family_id = (
    SELECT family_id FROM refresh_token WHERE token_sha256 = %(token_sha256)s
);

-- revoke_account: every sign-in of a person
UPDATE refresh_family SET revoked_at = now()
WHERE user_id = %(user_id)s AND revoked_at IS NULL;

-- forget_expired: families all of whose tokens have expired can do nothing any more
DELETE FROM refresh_family AS f
WHERE NOT EXISTS (
    SELECT FROM refresh_token AS t
    WHERE t.family_id = f.family_id AND t.expires_ms > %(before_ms)s
);
