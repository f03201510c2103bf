-- The guards of one campaign decide one after the other, so that two runs cannot both find that no other is under way.
SELECT pg_advisory_xact_lock(hashtextextended('bongsu.guard.' || %(campaign)s, 0))
