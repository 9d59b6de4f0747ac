/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary files, and sequences of records over them. A file loses its name
 * right after it is made: it is gone when the process is, killed or not. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "lm/count_internal.h"

#define BUFFER_NUMBERS ((size_t)64 * 1024)
#define READ_RECORDS ((size_t)8 * 1024)

static sn_status fail_temp(const sni_temp *t, int e, sn_err *err) {
  const bool is_full = e == ENOSPC || e == EDQUOT || e == EFBIG;
  return sn_fail(err, SN_EIO,
                 "cannot write a temporary file in '%s' at byte %lld: %s%s",
                 t->dir, (long long)t->size, strerror(e),
                 is_full ? "; free some space there, name another folder with "
                           "--temp, or give more --memory"
                         : "; name another folder with --temp");
}

static sn_status open_temp(sni_temp *t, sn_err *err) {
  char *const name = sn_path_join(t->dir, "senone-XXXXXX");
  if (name == NULL) return sn_fail_nomem(err, "temporary file");
  t->fd = mkstemp(name);
  const int e = errno;
  if (t->fd >= 0) (void)unlink(name);
  sn_free(name);
  if (t->fd < 0) return fail_temp(t, e, err);
  t->buffer = sn_realloc(NULL, BUFFER_NUMBERS, sizeof *t->buffer);
  return t->buffer != NULL ? SN_OK : sn_fail_nomem(err, "temporary file");
}

static sn_status write_all(sni_temp *t, const uint32_t *data, size_t n,
                           sn_err *err) {
  const char *p = (const char *)data;
  size_t left = n * sizeof *data;
  while (left > 0) {
    const ssize_t k = write(t->fd, p, left);
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return fail_temp(t, errno, err);
    p += k;
    left -= (size_t)k;
  }
  return SN_OK;
}

sn_status sni_temp_flush(sni_temp *t, sn_err *err) {
  const size_t n = t->n_buffer;
  t->n_buffer = 0;
  return n > 0 ? write_all(t, t->buffer, n, err) : SN_OK;
}

sn_status sni_temp_write(sni_temp *t, const uint32_t *data, size_t n,
                         sn_err *err) {
  if (t->fd < 0 || t->buffer == NULL) SN_TRY(open_temp(t, err));
  if (t->n_buffer + n > BUFFER_NUMBERS) SN_TRY(sni_temp_flush(t, err));
  if (n >= BUFFER_NUMBERS) {
    SN_TRY(write_all(t, data, n, err));
  } else if (n > 0) {
    memcpy(t->buffer + t->n_buffer, data, n * sizeof *data);
    t->n_buffer += n;
  }
  t->size += (int64_t)(n * sizeof *data);
  return SN_OK;
}

sn_status sni_temp_read(const sni_temp *t, int64_t at_bytes, uint32_t *data,
                        size_t n, sn_err *err) {
  char *p = (char *)data;
  size_t left = n * sizeof *data;
  while (left > 0) {
    const ssize_t k = pread(t->fd, p, left, (off_t)at_bytes);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0)
      return sn_fail_errno(err, k < 0 ? errno : EIO,
                           "cannot read a temporary file in '%s'", t->dir);
    p += k;
    at_bytes += k;
    left -= (size_t)k;
  }
  return SN_OK;
}

void sni_temp_clear(sni_temp *t) {
  if (t->dir != NULL && t->fd >= 0) (void)close(t->fd);
  sn_free(t->buffer);
  t->buffer = NULL;
  t->fd = -1;
  t->size = 0;
  t->n_buffer = 0;
}

/* ---- Spools ---- */

sn_status sni_spool_push(sni_spool *s, const uint32_t *record, sn_err *err) {
  if (s->in_file)
    SN_TRY(sni_temp_write(&s->temp, record, s->width, err));
  else /* over a sorter's array, whose record was read before */
    memmove(s->data + (size_t)s->n * s->width, record,
            s->width * sizeof *record);
  s->n++;
  return SN_OK;
}

sn_status sni_spool_rewind(sni_spool *s, sn_err *err) {
  s->at = 0;
  s->next = s->n_buffer = 0;
  if (!s->in_file) return SN_OK;
  if (s->buffer == NULL) {
    s->buffer = sn_realloc(NULL, READ_RECORDS, s->width * sizeof *s->buffer);
    if (s->buffer == NULL) return sn_fail_nomem(err, "n-grams");
  }
  return sni_temp_flush(&s->temp, err);
}

sn_status sni_spool_next(sni_spool *s, const uint32_t **record, sn_err *err) {
  *record = NULL;
  if (!s->in_file) {
    if (s->at < s->n) *record = s->data + (size_t)s->at++ * s->width;
    return SN_OK;
  }
  if (s->next == s->n_buffer) {
    const int64_t left = s->n - s->at;
    if (left == 0) return SN_OK;
    s->n_buffer = left < (int64_t)READ_RECORDS ? (size_t)left : READ_RECORDS;
    s->next = 0;
    SN_TRY(sni_temp_read(&s->temp, s->at * (int64_t)(s->width * 4), s->buffer,
                         s->n_buffer * s->width, err));
    s->at += (int64_t)s->n_buffer;
  }
  *record = s->buffer + s->next++ * s->width;
  return SN_OK;
}

void sni_spool_clear(sni_spool *s) {
  sn_free(s->data);
  sn_free(s->buffer);
  s->data = s->buffer = NULL;
  sni_temp_clear(&s->temp);
}
