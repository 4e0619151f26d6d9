/*-------------------------------------------------------------------------
 *
 * resume.c
 *	  A seat of a durable group that does not get what the group gets yet.
 *
 *-------------------------------------------------------------------------
 */
#include "resume.h"

#include <stdlib.h>

#include "client.h"

Resume *
resume_create(Seat *seat)
{
	Resume *resume = calloc(1, sizeof(*resume));

	if (resume == NULL)
		return NULL;
	resume->env = seat->client->env;
	resume->seat = seat;
	resume->position = position_start;
	seat->resume = resume;
	return resume;
}

void
resume_end(Resume *resume)
{
	if (resume == NULL)
		return;
	resume_unqueue(resume);
	if (resume->call != NULL)
	{
		calls_cancel(resume->call);
		resume->env->pages_asked--;
	}
	frame_release(resume->page);
	resume->seat->resume = NULL;
	free(resume);
}

void
resume_queue(Resume *resume)
{
	if (!resume->queued)
		TAILQ_INSERT_TAIL(&resume->env->resumes, resume, entry);
	resume->queued = true;
	loop_wake(resume->env->loop);
}

void
resume_unqueue(Resume *resume)
{
	if (resume->queued)
		TAILQ_REMOVE(&resume->env->resumes, resume, entry);
	resume->queued = false;
}
