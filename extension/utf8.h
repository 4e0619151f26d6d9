/*-------------------------------------------------------------------------
 *
 * utf8.h
 *	  Text of this database as UTF-8 and back, without an error.
 *
 * Django hashes and compares UTF-8; what SQL hands us is in the encoding of
 * the database.  PostgreSQL's own conversion raises for a character that the
 * other side does not have, which a client must not be able to bring about.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_UTF8_H
#define USHER_UTF8_H

/*
 * utf8_from_server, utf8_to_server
 *		Convert len bytes; *out_len (may be NULL) becomes the result's length.
 *
 * The result ends with a NUL and may be the text itself, which must end with
 *one too where nothing is to be converted: in a database of UTF8 or SQL_ASCII,
 * or if the bytes are ASCII.  NULL: it cannot be represented.
 */
extern const char *utf8_from_server(const char *bytes, size_t len,
									size_t *out_len);
extern const char *utf8_to_server(const char *bytes, size_t len,
								  size_t *out_len);

#endif /* USHER_UTF8_H */
