CREATE FUNCTION public.everfit_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only',
ERRCODE = 'integrity_constraint_violation'; END; $$;
CREATE TABLE public.alias (
    model character varying(64) NOT NULL,
    name character varying(16) NOT NULL,
    number integer,
    rev integer NOT NULL,
    decision integer NOT NULL
);
CREATE TABLE public.alias_log (
    id integer NOT NULL,
    model character varying(64) NOT NULL,
    name character varying(16) NOT NULL,
    from_number integer,
    to_number integer,
    rev integer NOT NULL,
    decision integer NOT NULL,
    at character varying(32) NOT NULL
);
CREATE SEQUENCE public.alias_log_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.alias_log_id_seq OWNED BY public.alias_log.id;
CREATE TABLE public.decision (
    id integer NOT NULL,
    model character varying(64) NOT NULL,
    kind character varying(32) NOT NULL,
    at character varying(32) NOT NULL,
    run integer,
    version character varying(16) NOT NULL,
    by character varying(128) NOT NULL,
    epoch integer,
    record json NOT NULL
);
CREATE SEQUENCE public.decision_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.decision_id_seq OWNED BY public.decision.id;
CREATE TABLE public.lease (
    model character varying(64) NOT NULL,
    epoch integer NOT NULL,
    pid integer NOT NULL,
    host character varying(256) NOT NULL,
    process_started character varying(128) NOT NULL,
    taken_at character varying(32) NOT NULL,
    expires_at character varying(32) NOT NULL
);
CREATE TABLE public.mirrored (
    target character varying(256) NOT NULL,
    kind character varying(16) NOT NULL,
    item character varying(128) NOT NULL,
    remote character varying(256) NOT NULL,
    tries integer NOT NULL,
    next_try_at character varying(32),
    error text NOT NULL,
    done_at character varying(32)
);
CREATE TABLE public.model (
    name character varying(64) NOT NULL,
    created_at character varying(32) NOT NULL
);
CREATE TABLE public.run (
    id integer NOT NULL,
    model character varying(64) NOT NULL,
    state character varying(16) NOT NULL,
    epoch integer NOT NULL,
    spec json NOT NULL,
    seen json NOT NULL,
    result json,
    started_at character varying(32) NOT NULL,
    ended_at character varying(32),
    budget_s double precision,
    seed integer,
    data_sha256 character varying(64) NOT NULL
);
CREATE SEQUENCE public.run_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.run_id_seq OWNED BY public.run.id;
CREATE TABLE public.setting (
    name character varying(64) NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.traffic (
    model character varying(64) NOT NULL,
    canary_share double precision NOT NULL,
    holdout_share double precision NOT NULL,
    rev integer NOT NULL,
    decision integer NOT NULL
);
CREATE TABLE public.trial (
    key character varying(128) NOT NULL,
    run integer NOT NULL,
    number integer NOT NULL,
    record json NOT NULL,
    payload text,
    sha256 character varying(64) NOT NULL,
    last_run integer NOT NULL,
    created_at character varying(32) NOT NULL
);
CREATE TABLE public.version (
    model character varying(64) NOT NULL,
    number integer NOT NULL,
    folder text NOT NULL,
    sha256 character varying(64) NOT NULL,
    record json NOT NULL,
    run integer,
    decision integer NOT NULL,
    state character varying(16) NOT NULL,
    created_at character varying(32) NOT NULL
);
ALTER TABLE ONLY public.alias_log ALTER COLUMN id SET DEFAULT nextval('public.alias_log_id_seq'::regclass);
ALTER TABLE ONLY public.decision ALTER COLUMN id SET DEFAULT nextval('public.decision_id_seq'::regclass);
ALTER TABLE ONLY public.run ALTER COLUMN id SET DEFAULT nextval('public.run_id_seq'::regclass);
INSERT INTO public.alias VALUES ('churn', 'champion', 2, 2, 2);
INSERT INTO public.alias VALUES ('churn', 'previous', 1, 1, 2);
INSERT INTO public.alias VALUES ('churn', 'canary', 3, 1, 4);
INSERT INTO public.alias VALUES ('churn', 'shadow', 3, 1, 5);
INSERT INTO public.alias_log VALUES (1, 'churn', 'champion', NULL, 1, 1, 1, '2026-11-20T09:30:08.000000+00:00');
INSERT INTO public.alias_log VALUES (2, 'churn', 'champion', 1, 2, 2, 2, '2026-11-20T09:30:11.000000+00:00');
INSERT INTO public.alias_log VALUES (3, 'churn', 'previous', NULL, 1, 1, 2, '2026-11-20T09:30:12.000000+00:00');
INSERT INTO public.alias_log VALUES (4, 'churn', 'canary', NULL, 3, 1, 4, '2026-11-20T09:30:16.000000+00:00');
INSERT INTO public.alias_log VALUES (5, 'churn', 'shadow', NULL, 3, 1, 5, '2026-11-20T09:30:17.000000+00:00');
INSERT INTO public.decision VALUES (1, 'churn', 'released', '2026-11-20T09:30:00+00:00', 1, 'v1', 'system', 1, '{"model": "churn", "kind": "released", "headline": "released it", "because": [{"rule": "gain on the floor", "passed": true, "measured": 0.1, "low": 0.05, "high": 0.15, "n": 700, "limit": 0.0, "limit_by": "default", "unit": "", "note": ""}], "also_checked": [], "not_done": [], "would_change": "", "by": "system", "policy": "default", "data_sha256": "", "log_e": null, "looks": 0, "undo": "", "run": "1", "version": "v1", "at": "2026-11-20T09:30:00+00:00", "id": 0}');
INSERT INTO public.decision VALUES (2, 'churn', 'released', '2026-11-20T09:30:00+00:00', 1, 'v2', 'system', 1, '{"model": "churn", "kind": "released", "headline": "released it", "because": [{"rule": "gain on the floor", "passed": true, "measured": 0.1, "low": 0.05, "high": 0.15, "n": 700, "limit": 0.0, "limit_by": "default", "unit": "", "note": ""}], "also_checked": [], "not_done": [], "would_change": "", "by": "system", "policy": "default", "data_sha256": "", "log_e": null, "looks": 0, "undo": "", "run": "1", "version": "v2", "at": "2026-11-20T09:30:00+00:00", "id": 0}');
INSERT INTO public.decision VALUES (3, 'churn', 'studied', '2026-11-20T09:30:00+00:00', 1, '', 'system', 1, '{"model": "churn", "kind": "studied", "headline": "studied it", "because": [{"rule": "gain on the floor", "passed": true, "measured": 0.1, "low": 0.05, "high": 0.15, "n": 700, "limit": 0.0, "limit_by": "default", "unit": "", "note": ""}], "also_checked": [], "not_done": [], "would_change": "", "by": "system", "policy": "default", "data_sha256": "", "log_e": null, "looks": 0, "undo": "", "run": "1", "version": "", "at": "2026-11-20T09:30:00+00:00", "id": 0}');
INSERT INTO public.decision VALUES (4, 'churn', 'kept', '2026-11-20T09:30:00+00:00', NULL, 'v3', 'system', NULL, '{"model": "churn", "kind": "kept", "headline": "kept it", "because": [{"rule": "gain on the floor", "passed": true, "measured": 0.1, "low": 0.05, "high": 0.15, "n": 700, "limit": 0.0, "limit_by": "default", "unit": "", "note": ""}], "also_checked": [], "not_done": [], "would_change": "", "by": "system", "policy": "default", "data_sha256": "", "log_e": null, "looks": 0, "undo": "", "run": "", "version": "v3", "at": "2026-11-20T09:30:00+00:00", "id": 0}');
INSERT INTO public.decision VALUES (5, 'churn', 'shadow', '2026-11-20T09:30:00+00:00', NULL, '', 'maria', NULL, '{"model": "churn", "kind": "shadow", "headline": "shadow it", "because": [{"rule": "gain on the floor", "passed": true, "measured": 0.1, "low": 0.05, "high": 0.15, "n": 700, "limit": 0.0, "limit_by": "default", "unit": "", "note": ""}], "also_checked": [], "not_done": [], "would_change": "", "by": "maria", "policy": "default", "data_sha256": "", "log_e": null, "looks": 0, "undo": "", "run": "", "version": "", "at": "2026-11-20T09:30:00+00:00", "id": 0}');
INSERT INTO public.lease VALUES ('churn', 2, 4711, 'old/pid:[1]', 'boot:1', '2026-11-20T09:30:21.000000+00:00', '2026-11-20T09:32:21.000000+00:00');
INSERT INTO public.lease VALUES ('prices', 1, 4711, 'old/pid:[1]', 'boot:1', '2026-11-20T09:30:23.000000+00:00', '2026-11-20T09:32:23.000000+00:00');
INSERT INTO public.mirrored VALUES ('http://a', 'run', '1', '4f2', 1, NULL, '', '2026-11-20T09:30:18.000000+00:00');
INSERT INTO public.mirrored VALUES ('http://a', 'version', 'churn/1', '', 1, '2026-11-20T09:30:00.000000+00:00', 'refused', NULL);
INSERT INTO public.model VALUES ('churn', '2026-11-20T09:30:02.000000+00:00');
INSERT INTO public.model VALUES ('prices', '2026-11-20T09:30:22.000000+00:00');
INSERT INTO public.run VALUES (1, 'churn', 'done', 1, '{"budget_s": 60.0, "seed": 0, "data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "note": "\u00e4 \u2603 ''quoted''"}', '{}', '{"study": {"trials": []}}', '2026-11-20T09:30:02.000000+00:00', '2026-11-20T09:30:13.000000+00:00', 60, 0, 'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd');
INSERT INTO public.run VALUES (2, 'churn', 'running', 2, '{"note": "was killed"}', '{"champion": 2, "previous": 1, "canary": 1, "shadow": 1}', NULL, '2026-11-20T09:30:20.000000+00:00', NULL, NULL, NULL, '');
INSERT INTO public.run VALUES (3, 'prices', 'running', 1, '{}', '{}', NULL, '2026-11-20T09:30:22.000000+00:00', NULL, NULL, NULL, '');
INSERT INTO public.setting VALUES ('schema', '2');
INSERT INTO public.setting VALUES ('everfit', '0.1.0');
INSERT INTO public.setting VALUES ('created_at', '2026-11-20T09:30:01+00:00');
INSERT INTO public.setting VALUES ('files', 'old:/old/files');
INSERT INTO public.traffic VALUES ('churn', 0.1, 0.05, 1, 4);
INSERT INTO public.trial VALUES ('k1', 1, 1, '{"loss": 0.4}', NULL, '', 1, '2026-11-20T09:30:05.000000+00:00');
INSERT INTO public.version VALUES ('churn', 1, 'models/churn/v1', '1111111111111111111111111111111111111111111111111111111111111111', '{"model": "churn", "number": 1, "folder": "models/churn/v1", "sha256": "1111111111111111111111111111111111111111111111111111111111111111", "problem": {"task": "classify", "target": "churned", "metric": "log_loss", "form": "probabilities", "labels": ["no", "yes"], "label_type": "str", "time": null, "group": null, "weight": null}, "score": {"low": 0.41, "mid": 0.43, "high": 0.45, "n": 700, "level": 0.95}, "run": "1", "candidate": "CatBoost", "created_at": "2026-11-20T09:30:00+00:00", "state": "challenger", "trusted": [], "loss_bound": null, "speaks_of": ""}', 1, 1, 'challenger', '2026-11-20T09:30:07.000000+00:00');
INSERT INTO public.version VALUES ('churn', 2, 'models/churn/v2', '2222222222222222222222222222222222222222222222222222222222222222', '{"model": "churn", "number": 2, "folder": "models/churn/v2", "sha256": "2222222222222222222222222222222222222222222222222222222222222222", "problem": {"task": "classify", "target": "churned", "metric": "log_loss", "form": "probabilities", "labels": ["no", "yes"], "label_type": "str", "time": null, "group": null, "weight": null}, "score": {"low": 0.41, "mid": 0.43, "high": 0.45, "n": 700, "level": 0.95}, "run": "1", "candidate": "CatBoost", "created_at": "2026-11-20T09:30:00+00:00", "state": "challenger", "trusted": [], "loss_bound": null, "speaks_of": ""}', 1, 2, 'challenger', '2026-11-20T09:30:10.000000+00:00');
INSERT INTO public.version VALUES ('churn', 3, 'models/churn/v3', '3333333333333333333333333333333333333333333333333333333333333333', '{"model": "churn", "number": 3, "folder": "models/churn/v3", "sha256": "3333333333333333333333333333333333333333333333333333333333333333", "problem": {"task": "classify", "target": "churned", "metric": "log_loss", "form": "probabilities", "labels": ["no", "yes"], "label_type": "str", "time": null, "group": null, "weight": null}, "score": {"low": 0.41, "mid": 0.43, "high": 0.45, "n": 700, "level": 0.95}, "run": "1", "candidate": "CatBoost", "created_at": "2026-11-20T09:30:00+00:00", "state": "challenger", "trusted": [], "loss_bound": null, "speaks_of": ""}', NULL, 4, 'challenger', '2026-11-20T09:30:15.000000+00:00');
SELECT pg_catalog.setval('public.alias_log_id_seq', 5, true);
SELECT pg_catalog.setval('public.decision_id_seq', 5, true);
SELECT pg_catalog.setval('public.run_id_seq', 3, true);
ALTER TABLE ONLY public.alias_log
    ADD CONSTRAINT alias_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alias
    ADD CONSTRAINT alias_pkey PRIMARY KEY (model, name);
ALTER TABLE ONLY public.decision
    ADD CONSTRAINT decision_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (model);
ALTER TABLE ONLY public.mirrored
    ADD CONSTRAINT mirrored_pkey PRIMARY KEY (target, kind, item);
ALTER TABLE ONLY public.model
    ADD CONSTRAINT model_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.setting
    ADD CONSTRAINT setting_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.traffic
    ADD CONSTRAINT traffic_pkey PRIMARY KEY (model);
ALTER TABLE ONLY public.trial
    ADD CONSTRAINT trial_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.version
    ADD CONSTRAINT version_pkey PRIMARY KEY (model, number);
CREATE UNIQUE INDEX alias_log_of_model ON public.alias_log USING btree (model, name, rev);
CREATE INDEX decision_of_model ON public.decision USING btree (model, id);
CREATE INDEX run_of_model ON public.run USING btree (model, id);
CREATE INDEX trial_last_used ON public.trial USING btree (last_run);
CREATE INDEX trial_of_run ON public.trial USING btree (run);
CREATE TRIGGER alias_log_append_only BEFORE DELETE OR UPDATE ON public.alias_log FOR EACH ROW EXECUTE FUNCTION public.everfit_append_only();
CREATE TRIGGER alias_log_no_truncate BEFORE TRUNCATE ON public.alias_log FOR EACH STATEMENT EXECUTE FUNCTION public.everfit_append_only();
CREATE TRIGGER decision_append_only BEFORE DELETE OR UPDATE ON public.decision FOR EACH ROW EXECUTE FUNCTION public.everfit_append_only();
CREATE TRIGGER decision_no_truncate BEFORE TRUNCATE ON public.decision FOR EACH STATEMENT EXECUTE FUNCTION public.everfit_append_only();
CREATE TRIGGER version_append_only BEFORE DELETE OR UPDATE ON public.version FOR EACH ROW EXECUTE FUNCTION public.everfit_append_only();
CREATE TRIGGER version_no_truncate BEFORE TRUNCATE ON public.version FOR EACH STATEMENT EXECUTE FUNCTION public.everfit_append_only();
ALTER TABLE ONLY public.alias
    ADD CONSTRAINT alias_decision_fkey FOREIGN KEY (decision) REFERENCES public.decision(id);
ALTER TABLE ONLY public.alias_log
    ADD CONSTRAINT alias_log_decision_fkey FOREIGN KEY (decision) REFERENCES public.decision(id);
ALTER TABLE ONLY public.alias
    ADD CONSTRAINT alias_model_number_fkey FOREIGN KEY (model, number) REFERENCES public.version(model, number);
ALTER TABLE ONLY public.decision
    ADD CONSTRAINT decision_model_fkey FOREIGN KEY (model) REFERENCES public.model(name);
ALTER TABLE ONLY public.decision
    ADD CONSTRAINT decision_run_fkey FOREIGN KEY (run) REFERENCES public.run(id);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_model_fkey FOREIGN KEY (model) REFERENCES public.model(name);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_model_fkey FOREIGN KEY (model) REFERENCES public.model(name);
ALTER TABLE ONLY public.traffic
    ADD CONSTRAINT traffic_decision_fkey FOREIGN KEY (decision) REFERENCES public.decision(id);
ALTER TABLE ONLY public.traffic
    ADD CONSTRAINT traffic_model_fkey FOREIGN KEY (model) REFERENCES public.model(name);
ALTER TABLE ONLY public.trial
    ADD CONSTRAINT trial_last_run_fkey FOREIGN KEY (last_run) REFERENCES public.run(id);
ALTER TABLE ONLY public.trial
    ADD CONSTRAINT trial_run_fkey FOREIGN KEY (run) REFERENCES public.run(id);
ALTER TABLE ONLY public.version
    ADD CONSTRAINT version_decision_fkey FOREIGN KEY (decision) REFERENCES public.decision(id);
ALTER TABLE ONLY public.version
    ADD CONSTRAINT version_model_fkey FOREIGN KEY (model) REFERENCES public.model(name);
ALTER TABLE ONLY public.version
    ADD CONSTRAINT version_run_fkey FOREIGN KEY (run) REFERENCES public.run(id);
