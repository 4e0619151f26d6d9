/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The background workers that answer the doorbell.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_WORKER_H
#define USHER_WORKER_H

/* From _PG_init, when preloaded: have the launcher started. */
extern void worker_register(void);

/* Entry points of the processes. */
extern PGDLLEXPORT void usher_launcher_main(Datum arg);
extern PGDLLEXPORT void usher_worker_main(Datum slot_number);

#endif /* USHER_WORKER_H */
