-- Numbers of runs that began after the backup are in Airflow, in reports and at the carrier: they are not given again.
SELECT setval(pg_get_serial_sequence('runs', 'run_id'),
              nextval(pg_get_serial_sequence('runs', 'run_id')) + %(skipped)s)
