/* SPDX-License-Identifier: Apache-2.0 */
/* base/log_internal.h - lets a sink be destroyed with its log. */
#ifndef SN_BASE_LOG_INTERNAL_H
#define SN_BASE_LOG_INTERNAL_H
#include "base/log.h"

/* sn_log_destroy will call destroy_user(user). */
void sni_log_own_user(sn_log *l, void (*destroy_user)(void *user));
#endif
