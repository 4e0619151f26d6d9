/*-------------------------------------------------------------------------
 *
 * inbox.c
 *	  The notices of a turn, put in order: urgent ones first, then messages.
 *
 *-------------------------------------------------------------------------
 */
#include "inbox.h"

#include <stdlib.h>

#include "log.h"

/* The notice points into text, or into bytes. */
struct InboxItem
{
	InboxItem *next;
	Notice	   notice;
	char	  *bytes; /* owned; of a message put together from chunks */
	char	   text[];
};

static void
list_init(InboxList *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void
list_add(InboxList *list, InboxItem *item)
{
	item->next = NULL;
	*list->end = item;
	list->end = &item->next;
}

static void
item_free(InboxItem *item)
{
	free(item->bytes);
	free(item);
}

static void
list_clear(InboxList *list)
{
	InboxItem *next;

	for (InboxItem *item = list->first; item != NULL; item = next)
	{
		next = item->next;
		item_free(item);
	}
	list_init(list);
}

void
inbox_init(Inbox *inbox)
{
	memset(inbox, 0, sizeof(*inbox));
	list_init(&inbox->urgent);
	list_init(&inbox->messages);
}

void
inbox_fini(Inbox *inbox)
{
	list_clear(&inbox->urgent);
	list_clear(&inbox->messages);
	notice_assembly_clear(&inbox->assembly);
}

static InboxItem *
item_create(size_t text_len)
{
	InboxItem *item = malloc(sizeof(*item) + text_len);

	if (item == NULL)
	{
		log_error("feed: out of memory, a notification is lost");
		return NULL;
	}
	item->next = NULL;
	item->bytes = NULL;
	memset(&item->notice, 0, sizeof(item->notice));
	return item;
}

static void
drop_assembly(Inbox *inbox, const char *why)
{
	if (!notice_assembly_is_open(&inbox->assembly))
		return;
	log_warning("feed: dropping a message of %u parts after part %u: %s",
				inbox->assembly.parts, inbox->assembly.part, why);
	notice_assembly_clear(&inbox->assembly);
}

void
inbox_cut(Inbox *inbox)
{
	drop_assembly(inbox, "the connection was lost");
}

static void
add_chunk(Inbox *inbox, const Notice *chunk)
{
	const char *problem = NULL;
	InboxItem  *item;

	if (chunk->part == 1)
		drop_assembly(inbox, "another message began");
	switch (notice_assembly_add(&inbox->assembly, chunk))
	{
		case NOTICE_ASSEMBLY_MORE: return;
		case NOTICE_ASSEMBLY_COMPLETE:
			item = item_create(0);
			if (item == NULL)
			{
				notice_assembly_clear(&inbox->assembly);
				return;
			}
			item->bytes = notice_assembly_take(&inbox->assembly, &item->notice);
			list_add(&inbox->messages, item);
			return;
		case NOTICE_ASSEMBLY_BROKEN: problem = "not the next part"; break;
		case NOTICE_ASSEMBLY_TOO_LARGE: problem = "message too large"; break;
		case NOTICE_ASSEMBLY_NO_MEMORY: problem = "out of memory"; break;
	}
	log_warning("feed: dropping part %u of %u of a message: %s", chunk->part,
				chunk->parts, problem);
}

/* Keep a copy of the line, with the notice parsed from the copy. */
static void
add_line(InboxList *list, Slice line)
{
	InboxItem *item = item_create(line.len);

	if (item == NULL)
		return;
	memcpy(item->text, line.ptr, line.len);
	if (notice_parse(&item->notice, (Slice){item->text, line.len}))
		list_add(list, item);
	else
		item_free(item); /* cannot be: the line itself was parsed before */
}

bool
inbox_add(Inbox *inbox, Slice line, Slice *nonce)
{
	Notice notice;

	if (!notice_parse(&notice, line))
	{
		/* Never the text: it may be a payload. */
		log_warning("feed: ignoring a malformed notification of %zu bytes; is "
					"the extension newer than usherd?",
					line.len);
		drop_assembly(inbox, "something else came");
		return false;
	}
	if (notice.kind != NOTICE_CHUNK)
		drop_assembly(inbox, "something else came");

	switch (notice.kind)
	{
		case NOTICE_MESSAGE:
		case NOTICE_JOINED:
		case NOTICE_LEFT: add_line(&inbox->messages, line); return false;
		case NOTICE_CHUNK: add_chunk(inbox, &notice); return false;
		case NOTICE_REVOKE_CREDENTIAL:
		case NOTICE_REVOKE_USER:
		case NOTICE_REVOKE_KIND:
		case NOTICE_REVOKE_ALL:
		case NOTICE_KICK:
		case NOTICE_ENDS_SOONER:
		case NOTICE_RECHECK_GROUP:
		case NOTICE_RECHECK_USER:
		case NOTICE_POLICY: add_line(&inbox->urgent, line); return false;
		case NOTICE_CANARY: *nonce = notice.key; return true;
		case NOTICE_BELL: inbox->bell = true; return false;
		case NOTICE_DURABLE:
		case NOTICE_HEAD: break; /* answers, never notified */
	}
	return false;
}

void
inbox_add_fetched(Inbox *inbox, Slice line)
{
	Notice notice;

	if (notice_parse(&notice, line) && notice.kind == NOTICE_DURABLE)
		add_line(&inbox->messages, line);
	else
		log_warning("feed: ignoring a malformed line of %zu bytes; is the "
					"extension newer than usherd?",
					line.len);
}

void
inbox_add_plain(Inbox *inbox, Slice group, Slice payload)
{
	InboxItem *item = item_create(group.len + payload.len);

	if (item == NULL)
		return;
	memcpy(item->text, group.ptr, group.len);
	memcpy(item->text + group.len, payload.ptr, payload.len);
	item->notice.kind = NOTICE_MESSAGE;
	item->notice.type = NOTICE_TEXT;
	item->notice.groups = (Slice){item->text, group.len};
	item->notice.payload = (Slice){item->text + group.len, payload.len};
	list_add(&inbox->messages, item);
}

/* In place: the item's memory is ours, and decoding makes it shorter. */
static bool
decode(InboxItem *item)
{
	Slice *payload = &item->notice.payload;
	char  *start = item->bytes != NULL ? item->bytes : item->text;
	size_t offset = (size_t) (payload->ptr - start);

	if (item->notice.type != NOTICE_BASE64 ||
		notice_decode_base64(start + offset, &payload->len, *payload))
		return true;
	log_warning("feed: dropping a binary message: not base64");
	return false;
}

void
inbox_hand_out(Inbox *inbox, void (*urgent)(void *arg, const Notice *notice),
			   void (*message)(void *arg, const Notice *notice), void *arg)
{
	InboxItem *urgent_items = inbox->urgent.first;
	InboxItem *message_items = inbox->messages.first;
	InboxItem *next;

	list_init(&inbox->urgent);
	list_init(&inbox->messages);
	for (InboxItem *item = urgent_items; item != NULL; item = next)
	{
		next = item->next;
		urgent(arg, &item->notice);
		item_free(item);
	}
	for (InboxItem *item = message_items; item != NULL; item = next)
	{
		next = item->next;
		if (decode(item))
			message(arg, &item->notice);
		item_free(item);
	}
}
