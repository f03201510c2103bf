-- Keys of rotations that ended before the ring had them; they are lost, and nothing was sealed with them.
DELETE FROM key_checks WHERE NOT required
