-- What Django and PyJWT would make with a key: RFC 2104 on sha256(), and
-- what is signed with it.
CREATE SCHEMA site;
CREATE FUNCTION site.hmac(key bytea, message bytea) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
	inner_pad bytea := decode(repeat('36', 64), 'hex');
	outer_pad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
	IF octet_length(key) > 64 THEN
		key := sha256(key);
	END IF;
	FOR i IN 0 .. octet_length(key) - 1 LOOP
		inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
		outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
	END LOOP;
	RETURN sha256(outer_pad || sha256(inner_pad || message));
END $$;
CREATE FUNCTION site.base64url(bytes bytea) RETURNS text
LANGUAGE sql AS $$ SELECT translate(encode(bytes, 'base64'), E'+/=\n', '-_') $$;
CREATE FUNCTION site.jwt(key bytea, claims jsonb DEFAULT '{}') RETURNS text
LANGUAGE sql AS $$
	SELECT head || '.' || site.base64url(site.hmac(key, head::bytea))
	FROM (SELECT site.base64url('{"alg":"HS256","typ":"JWT"}') || '.' || site.base64url(convert_to(jsonb_strip_nulls(
		jsonb_build_object('token_type', 'access', 'jti', 'x', 'user_id', 1,
						   'exp', ceil(extract(epoch FROM now())) + 600) || claims)::text, 'UTF8')) AS head) AS h
$$;
CREATE FUNCTION site.salted_hmac(salt text, message text, key bytea) RETURNS bytea
LANGUAGE sql AS $$ SELECT site.hmac(sha256(salt::bytea || key), message::bytea) $$;
