-- Numbers of runs that began after the backup are in Airflow, in reports and at the carrier: they are not given again.
SELECT setval(pg_get_serial_sequence('runs', 'run_id'),
              greatest(nextval(pg_get_serial_sequence('runs', 'run_id')), %(given)s) + %(skipped)s)
