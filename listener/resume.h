/*-------------------------------------------------------------------------
 *
 * resume.h
 *	  A seat of a durable group that does not get what the group gets yet.
 *
 * It waits until the stream is known, then perhaps for the database to say
 * whether what the client saw last is still there; then it is opened, and told
 * what follows that, until nothing does: from then on it is a seat like others
 * (seat->resume is NULL).  What happens when is durable.c's business.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_RESUME_H
#define USHER_RESUME_H

#include <sys/queue.h>

#include "calls.h"
#include "common.h"
#include "frame.h"
#include "position.h"

typedef struct ClientEnv ClientEnv;
typedef struct Seat		 Seat;
typedef struct Resume	 Resume;

typedef enum ResumeState
{
	RESUME_WAITING,	  /* for the stream to be loaded */
	RESUME_ASKING,	  /* for the database: is position still there? */
	RESUME_OPENING,	  /* decided: what the seat is to be told is set */
	RESUME_REPLAYING, /* open: sent what follows position */
} ResumeState;

struct Resume
{
	TAILQ_ENTRY(Resume) entry; /* in env->resumes, if queued */
	ClientEnv  *env;
	Seat	   *seat;
	ResumeState state;
	bool		queued;
	bool		since;	  /* the client says what it saw last */
	bool		lost;	  /* what followed that cannot be told */
	Position	position; /* that; then, up to where it has been told */
	Position	last;	  /* the stream's last message when it was opened */
	Call	   *call;	  /* a page of the database's, under way */
	Frame	   *page;	  /* the same, to be sent; NULL: none */
};

typedef TAILQ_HEAD(ResumeList, Resume) ResumeList;

/* Make seat one that resumes; NULL when out of memory. */
Resume *resume_create(Seat *seat) MUST_CHECK;

/* It is told everything, or is no more.  Accepts NULL. */
void resume_end(Resume *resume);

/* Something is to be done for it. */
void resume_queue(Resume *resume);
void resume_unqueue(Resume *resume);

#endif
