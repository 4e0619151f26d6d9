/*-------------------------------------------------------------------------
 *
 * notice.h
 *	  What the extension says on the shared channel: one line each.  Pure.
 *
 *	  m <id> <type> <groups> <payload>			a message
 *	  c <id> <i> <n> <type> <groups> <chunk>	a part of a longer message
 *	  r <id> c|u|k <which>						credentials revoked
 *	  r <id> a									all of them
 *	  k <id> <group> <user_id>					kick
 *	  p <id> <category>							a category's rules changed
 *	  e <id> <credential_id>					a credential ends sooner
 *	  q <id> g <group>							ask about its members again
 *	  q <id> u <user_id>						ask about a user again
 *	  s <id> j|l <group> <user>					presence: joined, left; a JSON
 *												object with user and username
 *	  b											a message of a durable group
 *												is there to be fetched
 *	  ? <nonce>									canary
 *
 * and what usher.fetch() and usher.stream() answer:
 *
 *	  d <seq> <tag> <type> <group> <payload>	a message of a durable group
 *	  h <seq> <tag>								the last one of a group
 *
 * One space between fields; the last field is everything that follows.  <type>
 * is j (JSON), t (text) or b (base64).  The writer is extension/broadcast.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_NOTICE_H
#define USHER_NOTICE_H

#include "common.h"
#include "position.h"

typedef enum NoticeKind
{
	NOTICE_MESSAGE,
	NOTICE_CHUNK,
	NOTICE_REVOKE_CREDENTIAL,
	NOTICE_REVOKE_USER,
	NOTICE_REVOKE_KIND,
	NOTICE_REVOKE_ALL,
	NOTICE_KICK,
	NOTICE_POLICY,
	NOTICE_ENDS_SOONER,
	NOTICE_RECHECK_GROUP,
	NOTICE_RECHECK_USER,
	NOTICE_JOINED,
	NOTICE_LEFT,
	NOTICE_CANARY,
	NOTICE_BELL,
	NOTICE_DURABLE,
	NOTICE_HEAD,
} NoticeKind;

typedef enum NoticeType
{
	NOTICE_JSON = 'j',
	NOTICE_TEXT = 't',
	NOTICE_BASE64 = 'b',
} NoticeType;

/* Slices point into the line; those a kind does not have are absent. */
typedef struct Notice
{
	NoticeKind kind;
	NoticeType type;   /* message, chunk, durable */
	uint32_t   part;   /* chunk: 1 to parts */
	uint32_t   parts;  /* chunk */
	Slice	   id;	   /* all but canary */
	Slice	   groups; /* message, first chunk: names with commas between;
						* durable: one name */
	Slice payload;	   /* message, chunk, durable; joined, left: the user */
	Slice key;		   /* credential, user, kind; category; nonce; kick,
						* recheck, joined, left: the group */
	Slice	 user_id;  /* kick */
	Position position; /* durable, head */
} Notice;

/* False for anything that is not exactly of one of the forms above. */
bool notice_parse(Notice *notice, Slice line) MUST_CHECK;

/* Take the first name off the list; false when there is none left. */
bool notice_next_group(Slice *groups, Slice *group) MUST_CHECK;

/* 1 to GROUP_NAME_MAX of the characters A-Z, a-z, 0-9, ".", "_" and "-". */
bool notice_is_group(Slice name) MUST_CHECK;

/*
 * notice_decode_base64
 *		Decode padded standard base64 (RFC 4648 section 4), strictly.
 *
 * Refuses other characters, wrong padding, and bits that should be zero.  out
 * needs 3 bytes for 4 characters and may be where text is.
 */
bool notice_decode_base64(void *out, size_t *out_len, Slice text) MUST_CHECK;

/*
 * One message put together from its chunks, which come without anything
 * between them.  Zeroed before first use.
 */
typedef struct NoticeAssembly
{
	char	  *bytes; /* the groups, then the chunks; NULL when idle */
	size_t	   len;
	size_t	   cap;
	size_t	   groups_len;
	NoticeType type;
	uint32_t   part; /* the last one added */
	uint32_t   parts;
	char	   id[33];
} NoticeAssembly;

/* Longest message put together, and most chunks: bounds on a mad writer. */
#define NOTICE_MAX_MESSAGE_BYTES (64u << 20)
#define NOTICE_MAX_PARTS (1u << 16)

typedef enum NoticeAssemblyStatus
{
	NOTICE_ASSEMBLY_MORE,	  /* taken; more chunks are to come */
	NOTICE_ASSEMBLY_COMPLETE, /* notice_assembly_take() has it */
	NOTICE_ASSEMBLY_BROKEN,	  /* not the next chunk: it and what was there
							   * are dropped */
	NOTICE_ASSEMBLY_TOO_LARGE,
	NOTICE_ASSEMBLY_NO_MEMORY,
} NoticeAssemblyStatus;

/*
 * notice_assembly_add
 *		Add a chunk (copied).
 *
 * A first chunk begins a message, dropping an incomplete one: ask
 * notice_assembly_is_open() before, to say so.
 */
NoticeAssemblyStatus notice_assembly_add(NoticeAssembly *assembly,
										 const Notice	*chunk) MUST_CHECK;

/*
 * notice_assembly_take
 *		The complete message; the assembly is idle again.
 *
 * notice becomes a NOTICE_MESSAGE that points into what is returned, which the
 * caller frees.
 */
char *notice_assembly_take(NoticeAssembly *assembly, Notice *notice) MUST_CHECK;

static inline bool
notice_assembly_is_open(const NoticeAssembly *assembly)
{
	return assembly->bytes != NULL;
}

/* Drop what is there. */
void notice_assembly_clear(NoticeAssembly *assembly);

#endif
