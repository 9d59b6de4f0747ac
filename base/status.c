/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes and error messages. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *sn_status_name(sn_status s) {
  static const char *const names[] = {
#define X(name, text) "SN_" #name,
      SN_STATUS_MAP(X)
#undef X
  };
  return (size_t)s < SN_STATUS_COUNT ? names[s] : "SN_UNKNOWN";
}

const char *sn_status_text(sn_status s) {
  static const char *const texts[] = {
#define X(name, text) text,
      SN_STATUS_MAP(X)
#undef X
  };
  return (size_t)s < SN_STATUS_COUNT ? texts[s] : "unknown status";
}

sn_status sn_fail(sn_err *err, sn_status code, const char *fmt, ...) {
  SN_ASSERT(code != SN_OK);
  if (err == NULL || err->code != SN_OK) return code;
  err->code = code;
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
  va_end(ap);
  return code;
}

sn_status sn_fail_errno(sn_err *err, int errno_value, const char *fmt, ...) {
  if (err == NULL || err->code != SN_OK) return SN_EIO;
  err->code = SN_EIO;
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
  va_end(ap);
  const size_t n = strlen(err->msg);
  (void)snprintf(err->msg + n, sizeof err->msg - n, ": %s",
                 strerror(errno_value));
  return SN_EIO;
}

void sn_err_context(sn_err *err, const char *fmt, ...) {
  if (err == NULL || err->code == SN_OK) return;
  char head[sizeof err->msg / 2]; /* the cause keeps at least half */
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(head, sizeof head, fmt, ap);
  va_end(ap);
  const size_t h = strlen(head), last = sizeof err->msg - 1;
  memmove(err->msg + h + 2, err->msg, last - (h + 2));
  memcpy(err->msg, head, h);
  err->msg[h] = ':';
  err->msg[h + 1] = ' ';
  err->msg[last] = '\0';
}

void sn_err_clear(sn_err *err) {
  if (err == NULL) return;
  err->code = SN_OK;
  err->msg[0] = '\0';
}

sn_status sn_fail_nomem(sn_err *err, const char *what) {
  return sn_fail(err, SN_ENOMEM, "%s: out of memory", what);
}

void sni_bug(const char *cond, const char *file, int line) {
  fprintf(stderr, "%s:%d: bug: not true: %s\n", file, line, cond);
  abort();
}
