/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  The extension's GUCs, read-only for every room but settings.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_SETTINGS_H
#define USHER_SETTINGS_H

/* usher.session_max_ttl: the longest life a session key may be issued for. */
extern int settings_session_max_ttl_s;

/* usher.max_payload: the largest payload of one broadcast. */
extern int settings_max_payload_bytes;

/* usher.doorbell: a DoorbellMode. */
extern int settings_doorbell;

/* usher.on_async_commit: a CommitLevelRule. */
extern int settings_on_async_commit;

/*
 * settings_init
 *		Define every GUC; called once, when the library is loaded.
 */
extern void settings_init(void);

#endif /* USHER_SETTINGS_H */
