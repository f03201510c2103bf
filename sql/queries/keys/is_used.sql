-- Whether anything was ever sealed or indexed with the store's keys: every such row hangs on one of these.
SELECT EXISTS (SELECT FROM contacts) OR EXISTS (SELECT FROM consents) OR EXISTS (SELECT FROM suppressions)
    OR EXISTS (SELECT FROM runs)
