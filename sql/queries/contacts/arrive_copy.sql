-- The rows of a batch, in its order.
COPY arriving_contacts (position, phone_index, last4_index, phone_enc, name_enc, external_id, tags, region)
FROM STDIN (FORMAT binary)
