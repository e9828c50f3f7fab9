-- Contents known to be in a store other than the one they were first in; `store` is its URL.
CREATE TABLE staged (store TEXT NOT NULL, sha256 TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (store, sha256)) STRICT, WITHOUT ROWID;

-- What an input by reference was when it was first read: every task of the job gets these bytes.
CREATE TABLE fetched (job INTEGER NOT NULL, url TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (job, url)) STRICT, WITHOUT ROWID;
