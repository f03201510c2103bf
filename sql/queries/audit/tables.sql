-- Every queue and log table that the line's database holds, whatever lines and months the store knows of.
SELECT table_name FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name REGEXP '^SMSQ_SEND_[0-9]+(_[0-9]{6})?$'
ORDER BY table_name
