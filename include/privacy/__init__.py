"""Personal data at rest and on show: encryption with a key ring, blind indexes, masks.

Owns every key. Refuses to hand out clear text to anything but the stage that needs it.
"""
