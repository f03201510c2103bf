-- Takes back 0006_reporting.up.sql.
DROP TABLE audit_log, certificates, report_hours, report_codes, report_lines, report_chunks, report_runs;
DROP FUNCTION bongsu.sign_audit_row;
