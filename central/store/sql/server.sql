-- revision: which migrations have run
SELECT version_num FROM alembic_version;

-- unsafe_settings: with either off a power cut may lose or damage what was acknowledged
SELECT name FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'
ORDER BY name;

-- central_uuid: tells edges which database they talk to; a restored one is given another
SELECT central_uuid FROM central_identity;
