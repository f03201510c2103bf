"""The people a tenant knows, beyond one run: storing them, and finding them again.

Owns the contacts with their tags and regions. A person is stored sealed, found by blind indexes, and shown masked.
Consent and suppression lie beside them; the freeze asks for those.
"""
