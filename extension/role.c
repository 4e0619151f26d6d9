/*-------------------------------------------------------------------------
 *
 * role.c
 *	  To be another role for a moment, for what no SECURITY DEFINER function
 *	  in SQL could do: the first half of a function as its caller, or a single
 *	  table as that table's owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"

#include "role.h"

#define OWNER_ROLE "usher_owner"

FormerRole
role_become(Oid role)
{
	FormerRole former;

	GetUserIdAndSecContext(&former.user, &former.context);
	SetUserIdAndSecContext(role, former.context | SECURITY_LOCAL_USERID_CHANGE);
	return former;
}

FormerRole
role_become_owner(void)
{
	return role_become(get_role_oid(OWNER_ROLE, false));
}

void
role_return(FormerRole former)
{
	SetUserIdAndSecContext(former.user, former.context);
}
