
CREATE TABLE alias (
	model VARCHAR(64) NOT NULL, 
	name VARCHAR(16) NOT NULL, 
	number INTEGER, 
	rev INTEGER NOT NULL, 
	decision INTEGER NOT NULL, 
	PRIMARY KEY (model, name), 
	FOREIGN KEY(model, number) REFERENCES version (model, number), 
	FOREIGN KEY(decision) REFERENCES decision (id)
)



CREATE TABLE alias_log (
	id INTEGER NOT NULL, 
	model VARCHAR(64) NOT NULL, 
	name VARCHAR(16) NOT NULL, 
	from_number INTEGER, 
	to_number INTEGER, 
	rev INTEGER NOT NULL, 
	decision INTEGER NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(decision) REFERENCES decision (id)
)



CREATE TABLE decision (
	id INTEGER NOT NULL, 
	model VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	run INTEGER, 
	version VARCHAR(16) NOT NULL, 
	"by" VARCHAR(128) NOT NULL, 
	epoch INTEGER, 
	record JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(model) REFERENCES model (name), 
	FOREIGN KEY(run) REFERENCES run (id)
)



CREATE TABLE lease (
	model VARCHAR(64) NOT NULL, 
	epoch INTEGER NOT NULL, 
	pid INTEGER NOT NULL, 
	host VARCHAR(256) NOT NULL, 
	process_started VARCHAR(128) NOT NULL, 
	taken_at VARCHAR(32) NOT NULL, 
	expires_at VARCHAR(32) NOT NULL, 
	ttl_s FLOAT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (model), 
	FOREIGN KEY(model) REFERENCES model (name)
)



CREATE TABLE mirrored (
	target VARCHAR(256) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	item VARCHAR(128) NOT NULL, 
	remote VARCHAR(256) NOT NULL, 
	tries INTEGER NOT NULL, 
	next_try_at VARCHAR(32), 
	error TEXT NOT NULL, 
	done_at VARCHAR(32), 
	PRIMARY KEY (target, kind, item)
)



CREATE TABLE model (
	name VARCHAR(64) NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (name)
)



CREATE TABLE run (
	id INTEGER NOT NULL, 
	model VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	epoch INTEGER NOT NULL, 
	spec JSON NOT NULL, 
	seen JSON NOT NULL, 
	result JSON, 
	started_at VARCHAR(32) NOT NULL, 
	ended_at VARCHAR(32), 
	budget_s FLOAT, 
	seed INTEGER, 
	data_sha256 VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(model) REFERENCES model (name)
)



CREATE TABLE runner (
	name VARCHAR(64) NOT NULL, 
	epoch INTEGER NOT NULL, 
	pid INTEGER NOT NULL, 
	host VARCHAR(256) NOT NULL, 
	process_started VARCHAR(128) NOT NULL, 
	taken_at VARCHAR(32) NOT NULL, 
	expires_at VARCHAR(32) NOT NULL, 
	ttl_s FLOAT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (name)
)



CREATE TABLE setting (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
)



CREATE TABLE step (
	id INTEGER NOT NULL, 
	model VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	"key" VARCHAR(256) NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	decision INTEGER, 
	epoch INTEGER NOT NULL, 
	record JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(model) REFERENCES model (name), 
	FOREIGN KEY(decision) REFERENCES decision (id)
)



CREATE TABLE traffic (
	model VARCHAR(64) NOT NULL, 
	canary_share FLOAT NOT NULL, 
	holdout_share FLOAT NOT NULL, 
	rev INTEGER NOT NULL, 
	decision INTEGER NOT NULL, 
	PRIMARY KEY (model), 
	FOREIGN KEY(model) REFERENCES model (name), 
	FOREIGN KEY(decision) REFERENCES decision (id)
)



CREATE TABLE trial (
	"key" VARCHAR(128) NOT NULL, 
	run INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	record JSON NOT NULL, 
	payload TEXT, 
	sha256 VARCHAR(64) NOT NULL, 
	last_run INTEGER NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY ("key"), 
	FOREIGN KEY(run) REFERENCES run (id), 
	FOREIGN KEY(last_run) REFERENCES run (id)
)



CREATE TABLE version (
	model VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	folder TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	record JSON NOT NULL, 
	run INTEGER, 
	decision INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (model, number), 
	FOREIGN KEY(model) REFERENCES model (name), 
	FOREIGN KEY(run) REFERENCES run (id), 
	FOREIGN KEY(decision) REFERENCES decision (id)
)


CREATE INDEX decision_of_model ON decision (model, id)
CREATE INDEX run_of_model ON run (model, id)
CREATE INDEX step_in_order ON step (model, id)
CREATE INDEX trial_last_used ON trial (last_run)
CREATE INDEX trial_of_run ON trial (run)
CREATE TRIGGER alias_log_no_delete BEFORE DELETE ON alias_log BEGIN SELECT RAISE(ABORT, 'alias_log is append-only'); END
CREATE TRIGGER alias_log_no_update BEFORE UPDATE ON alias_log BEGIN SELECT RAISE(ABORT, 'alias_log is append-only'); END
CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'decision is append-only'); END
CREATE TRIGGER decision_no_update BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'decision is append-only'); END
CREATE TRIGGER step_no_delete BEFORE DELETE ON step BEGIN SELECT RAISE(ABORT, 'step is append-only'); END
CREATE TRIGGER step_no_update BEFORE UPDATE ON step BEGIN SELECT RAISE(ABORT, 'step is append-only'); END
CREATE TRIGGER version_no_delete BEFORE DELETE ON version BEGIN SELECT RAISE(ABORT, 'version is append-only'); END
CREATE TRIGGER version_no_update BEFORE UPDATE ON version BEGIN SELECT RAISE(ABORT, 'version is append-only'); END
CREATE UNIQUE INDEX alias_log_of_model ON alias_log (model, name, rev)
CREATE UNIQUE INDEX step_of_model ON step (model, kind, "key")