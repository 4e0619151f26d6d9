-- Who may do what: roles, grants, ownership, secrets.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION usher;

-- ==== everything in the schema ====
-- Roles cannot log in and have no powers.
SELECT rolname, rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS powers
FROM pg_roles WHERE rolname LIKE 'usher\_%' ORDER BY 1;
-- All objects belong to usher_owner, but for the site's keys: see secrets.sql.
SELECT count(*) FROM pg_proc WHERE pronamespace = 'usher'::regnamespace AND proowner <> 'usher_owner'::regrole;
SELECT relname FROM pg_class WHERE relnamespace = 'usher'::regnamespace AND relowner <> 'usher_owner'::regrole ORDER BY 1;
-- What PUBLIC may: nothing.
SELECT proname FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a
WHERE pronamespace = 'usher'::regnamespace AND a.grantee = 0;
SELECT relname FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner))) AS a
WHERE relnamespace = 'usher'::regnamespace AND relkind = 'r' AND a.grantee = 0;
SELECT nspname FROM pg_namespace, aclexplode(nspacl) AS a WHERE nspname = 'usher' AND a.grantee = 0;
-- Tables: nobody but the owner.
SELECT relname, a.grantee::regrole FROM pg_class, aclexplode(relacl) AS a
WHERE relnamespace = 'usher'::regnamespace AND relkind = 'r' AND a.grantee <> relowner;
-- Functions by role.
SELECT a.grantee::regrole AS role, p.oid::regprocedure AS function
FROM pg_proc AS p, aclexplode(proacl) AS a
WHERE pronamespace = 'usher'::regnamespace AND a.grantee <> proowner
ORDER BY a.grantee::regrole::text COLLATE "C", p.oid::regprocedure::text COLLATE "C";
-- Every definer function pins its search_path; so does every function that
-- resolves no name for its caller.
SELECT oid::regprocedure FROM pg_proc
WHERE pronamespace = 'usher'::regnamespace AND prosecdef
AND NOT coalesce(proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false);
SELECT oid::regprocedure FROM pg_proc
WHERE pronamespace = 'usher'::regnamespace AND NOT prosecdef AND proconfig IS NULL ORDER BY 1;
-- Every object says what it is.
SELECT oid::regprocedure FROM pg_proc
WHERE pronamespace = 'usher'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL;
SELECT relname FROM pg_class
WHERE relnamespace = 'usher'::regnamespace AND relkind IN ('r', 'c', 'v') AND
	coalesce(obj_description(oid, 'pg_class'), obj_description(reltype, 'pg_type')) IS NULL;
-- What pg_dump carries: configuration, no secrets and no session keys.
SELECT unnest(extconfig)::regclass FROM pg_extension WHERE extname = 'usher' ORDER BY 1;

-- ==== an ordinary role ====
CREATE ROLE regress_nobody;
SET ROLE regress_nobody;
SELECT usher.validate_token('x');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM usher.instance;
RESET ROLE;

-- ==== the site ====
CREATE ROLE regress_site;
GRANT usher_app TO regress_site;
SET ROLE regress_site;
SELECT * FROM usher.instance;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM usher.session_key;
SELECT * FROM usher.django;
SELECT usher.revoke_everybody();
CREATE TABLE usher.mine (id int);
SELECT valid, reason FROM usher.validate_token('x');
RESET ROLE;

-- ==== the listener ====
CREATE ROLE regress_listener;
GRANT usher_listener TO regress_listener;
SET ROLE regress_listener;
SELECT valid, reason FROM usher.authenticate('token', 'x');
SELECT usher.validate_token('x');
SELECT usher.issue_session_for('1');
SELECT usher.revoke_user('1');
SELECT usher.broadcast('app_1', '1');
SELECT usher.broadcast_text('app_1', '1');
SELECT usher.set_category('app', 'anyone');
SELECT usher.attach_django();
SELECT * FROM usher.instance;
SELECT usher.purge();
RESET ROLE;

-- ==== usher_owner has no rights but its own ====
SELECT has_database_privilege('usher_owner', current_database(), 'CREATE') AS may_create,
	   has_schema_privilege('usher_owner', 'usher', 'CREATE') AS may_add;
DROP EXTENSION usher;
-- Only a superuser installs it.
SET ROLE regress_site;
CREATE EXTENSION usher;
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- A role of that name that could log in would own what runs with its rights.
ALTER ROLE usher_owner LOGIN;
CREATE EXTENSION usher;
\echo :LAST_ERROR_SQLSTATE
ALTER ROLE usher_owner NOLOGIN;

DROP OWNED BY regress_nobody, regress_site, regress_listener;
DROP ROLE regress_nobody, regress_site, regress_listener;
