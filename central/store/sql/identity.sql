-- central_uuid: tells edges which database they talk to; a restored one is given another
SELECT central_uuid FROM central_identity;
