BEGIN TRANSACTION;
CREATE TABLE alias (
	model VARCHAR(64) NOT NULL, 
	name VARCHAR(16) NOT NULL, 
	number INTEGER, 
	rev INTEGER NOT NULL, 
	decision INTEGER NOT NULL, 
	PRIMARY KEY (model, name), 
	FOREIGN KEY(model, number) REFERENCES version (model, number), 
	FOREIGN KEY(decision) REFERENCES decision (id)
);
INSERT INTO "alias" VALUES('churn','champion',2,2,2);
INSERT INTO "alias" VALUES('churn','previous',1,1,2);
INSERT INTO "alias" VALUES('churn','canary',3,1,4);
INSERT INTO "alias" VALUES('churn','shadow',3,1,5);
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
);
INSERT INTO "alias_log" VALUES(1,'churn','champion',NULL,1,1,1,'2026-11-20T09:30:08.000000+00:00');
INSERT INTO "alias_log" VALUES(2,'churn','champion',1,2,2,2,'2026-11-20T09:30:11.000000+00:00');
INSERT INTO "alias_log" VALUES(3,'churn','previous',NULL,1,1,2,'2026-11-20T09:30:12.000000+00:00');
INSERT INTO "alias_log" VALUES(4,'churn','canary',NULL,3,1,4,'2026-11-20T09:30:16.000000+00:00');
INSERT INTO "alias_log" VALUES(5,'churn','shadow',NULL,3,1,5,'2026-11-20T09:30:17.000000+00:00');
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
);
INSERT INTO "decision" VALUES(1,'churn','released','2026-11-20T09:30:00+00:00',1,'v1','system',1,'{"model": "churn", "kind": "released", "headline": "released it", "because": [{"rule": "gain on the floor", "passed": true, "measured": 0.1, "low": 0.05, "high": 0.15, "n": 700, "limit": 0.0, "limit_by": "default", "unit": "", "note": ""}], "also_checked": [], "not_done": [], "would_change": "", "by": "system", "policy": "default", "data_sha256": "", "log_e": null, "looks": 0, "undo": "", "run": "1", "version": "v1", "at": "2026-11-20T09:30:00+00:00", "id": 0}');
INSERT INTO "decision" VALUES(2,'churn','released','2026-11-20T09:30:00+00:00',1,'v2','system',1,'{"model": "churn", "kind": "released", "headline": "released it", "because": [{"rule": "gain on the floor", "passed": true, "measured": 0.1, "low": 0.05, "high": 0.15, "n": 700, "limit": 0.0, "limit_by": "default", "unit": "", "note": ""}], "also_checked": [], "not_done": [], "would_change": "", "by": "system", "policy": "default", "data_sha256": "", "log_e": null, "looks": 0, "undo": "", "run": "1", "version": "v2", "at": "2026-11-20T09:30:00+00:00", "id": 0}');
INSERT INTO "decision" VALUES(3,'churn','studied','2026-11-20T09:30:00+00:00',1,'','system',1,'{"model": "churn", "kind": "studied", "headline": "studied it", "because": [{"rule": "gain on the floor", "passed": true, "measured": 0.1, "low": 0.05, "high": 0.15, "n": 700, "limit": 0.0, "limit_by": "default", "unit": "", "note": ""}], "also_checked": [], "not_done": [], "would_change": "", "by": "system", "policy": "default", "data_sha256": "", "log_e": null, "looks": 0, "undo": "", "run": "1", "version": "", "at": "2026-11-20T09:30:00+00:00", "id": 0}');
INSERT INTO "decision" VALUES(4,'churn','kept','2026-11-20T09:30:00+00:00',NULL,'v3','system',NULL,'{"model": "churn", "kind": "kept", "headline": "kept it", "because": [{"rule": "gain on the floor", "passed": true, "measured": 0.1, "low": 0.05, "high": 0.15, "n": 700, "limit": 0.0, "limit_by": "default", "unit": "", "note": ""}], "also_checked": [], "not_done": [], "would_change": "", "by": "system", "policy": "default", "data_sha256": "", "log_e": null, "looks": 0, "undo": "", "run": "", "version": "v3", "at": "2026-11-20T09:30:00+00:00", "id": 0}');
INSERT INTO "decision" VALUES(5,'churn','shadow','2026-11-20T09:30:00+00:00',NULL,'','maria',NULL,'{"model": "churn", "kind": "shadow", "headline": "shadow it", "because": [{"rule": "gain on the floor", "passed": true, "measured": 0.1, "low": 0.05, "high": 0.15, "n": 700, "limit": 0.0, "limit_by": "default", "unit": "", "note": ""}], "also_checked": [], "not_done": [], "would_change": "", "by": "maria", "policy": "default", "data_sha256": "", "log_e": null, "looks": 0, "undo": "", "run": "", "version": "", "at": "2026-11-20T09:30:00+00:00", "id": 0}');
CREATE TABLE lease (
	model VARCHAR(64) NOT NULL, 
	epoch INTEGER NOT NULL, 
	pid INTEGER NOT NULL, 
	host VARCHAR(256) NOT NULL, 
	process_started VARCHAR(128) NOT NULL, 
	taken_at VARCHAR(32) NOT NULL, 
	expires_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (model), 
	FOREIGN KEY(model) REFERENCES model (name)
);
INSERT INTO "lease" VALUES('churn',2,4711,'old/pid:[1]','boot:1','2026-11-20T09:30:21.000000+00:00','2026-11-20T09:32:21.000000+00:00');
INSERT INTO "lease" VALUES('prices',1,4711,'old/pid:[1]','boot:1','2026-11-20T09:30:23.000000+00:00','2026-11-20T09:32:23.000000+00:00');
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
);
INSERT INTO "mirrored" VALUES('http://a','run','1','4f2',1,NULL,'','2026-11-20T09:30:18.000000+00:00');
INSERT INTO "mirrored" VALUES('http://a','version','churn/1','',1,'2026-11-20T09:30:00.000000+00:00','refused',NULL);
CREATE TABLE model (
	name VARCHAR(64) NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "model" VALUES('churn','2026-11-20T09:30:02.000000+00:00');
INSERT INTO "model" VALUES('prices','2026-11-20T09:30:22.000000+00:00');
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
);
INSERT INTO "run" VALUES(1,'churn','done',1,'{"budget_s": 60.0, "seed": 0, "data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "note": "\u00e4 \u2603 ''quoted''"}','{}','{"study": {"trials": []}}','2026-11-20T09:30:02.000000+00:00','2026-11-20T09:30:13.000000+00:00',60.0,0,'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd');
INSERT INTO "run" VALUES(2,'churn','running',2,'{"note": "was killed"}','{"canary": 1, "champion": 2, "previous": 1, "shadow": 1}',NULL,'2026-11-20T09:30:20.000000+00:00',NULL,NULL,NULL,'');
INSERT INTO "run" VALUES(3,'prices','running',1,'{}','{}',NULL,'2026-11-20T09:30:22.000000+00:00',NULL,NULL,NULL,'');
CREATE TABLE setting (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "setting" VALUES('schema','2');
INSERT INTO "setting" VALUES('everfit','0.1.0');
INSERT INTO "setting" VALUES('created_at','2026-11-20T09:30:01+00:00');
INSERT INTO "setting" VALUES('files','old:/old/files');
CREATE TABLE traffic (
	model VARCHAR(64) NOT NULL, 
	canary_share FLOAT NOT NULL, 
	holdout_share FLOAT NOT NULL, 
	rev INTEGER NOT NULL, 
	decision INTEGER NOT NULL, 
	PRIMARY KEY (model), 
	FOREIGN KEY(model) REFERENCES model (name), 
	FOREIGN KEY(decision) REFERENCES decision (id)
);
INSERT INTO "traffic" VALUES('churn',0.1,0.05,1,4);
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
);
INSERT INTO "trial" VALUES('k1',1,1,'{"loss": 0.4}',NULL,'',1,'2026-11-20T09:30:05.000000+00:00');
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
);
INSERT INTO "version" VALUES('churn',1,'models/churn/v1','1111111111111111111111111111111111111111111111111111111111111111','{"model": "churn", "number": 1, "folder": "models/churn/v1", "sha256": "1111111111111111111111111111111111111111111111111111111111111111", "problem": {"task": "classify", "target": "churned", "metric": "log_loss", "form": "probabilities", "labels": ["no", "yes"], "label_type": "str", "time": null, "group": null, "weight": null}, "score": {"low": 0.41, "mid": 0.43, "high": 0.45, "n": 700, "level": 0.95}, "run": "1", "candidate": "CatBoost", "created_at": "2026-11-20T09:30:00+00:00", "state": "challenger", "trusted": [], "loss_bound": null, "speaks_of": ""}',1,1,'challenger','2026-11-20T09:30:07.000000+00:00');
INSERT INTO "version" VALUES('churn',2,'models/churn/v2','2222222222222222222222222222222222222222222222222222222222222222','{"model": "churn", "number": 2, "folder": "models/churn/v2", "sha256": "2222222222222222222222222222222222222222222222222222222222222222", "problem": {"task": "classify", "target": "churned", "metric": "log_loss", "form": "probabilities", "labels": ["no", "yes"], "label_type": "str", "time": null, "group": null, "weight": null}, "score": {"low": 0.41, "mid": 0.43, "high": 0.45, "n": 700, "level": 0.95}, "run": "1", "candidate": "CatBoost", "created_at": "2026-11-20T09:30:00+00:00", "state": "challenger", "trusted": [], "loss_bound": null, "speaks_of": ""}',1,2,'challenger','2026-11-20T09:30:10.000000+00:00');
INSERT INTO "version" VALUES('churn',3,'models/churn/v3','3333333333333333333333333333333333333333333333333333333333333333','{"model": "churn", "number": 3, "folder": "models/churn/v3", "sha256": "3333333333333333333333333333333333333333333333333333333333333333", "problem": {"task": "classify", "target": "churned", "metric": "log_loss", "form": "probabilities", "labels": ["no", "yes"], "label_type": "str", "time": null, "group": null, "weight": null}, "score": {"low": 0.41, "mid": 0.43, "high": 0.45, "n": 700, "level": 0.95}, "run": "1", "candidate": "CatBoost", "created_at": "2026-11-20T09:30:00+00:00", "state": "challenger", "trusted": [], "loss_bound": null, "speaks_of": ""}',NULL,4,'challenger','2026-11-20T09:30:15.000000+00:00');
CREATE INDEX run_of_model ON run (model, id);
CREATE INDEX trial_of_run ON trial (run);
CREATE INDEX trial_last_used ON trial (last_run);
CREATE INDEX decision_of_model ON decision (model, id);
CREATE TRIGGER decision_no_update BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'decision is append-only'); END;
CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'decision is append-only'); END;
CREATE TRIGGER version_no_update BEFORE UPDATE ON version BEGIN SELECT RAISE(ABORT, 'version is append-only'); END;
CREATE TRIGGER version_no_delete BEFORE DELETE ON version BEGIN SELECT RAISE(ABORT, 'version is append-only'); END;
CREATE UNIQUE INDEX alias_log_of_model ON alias_log (model, name, rev);
CREATE TRIGGER alias_log_no_update BEFORE UPDATE ON alias_log BEGIN SELECT RAISE(ABORT, 'alias_log is append-only'); END;
CREATE TRIGGER alias_log_no_delete BEFORE DELETE ON alias_log BEGIN SELECT RAISE(ABORT, 'alias_log is append-only'); END;
COMMIT;
