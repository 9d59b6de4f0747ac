/* SPDX-License-Identifier: Apache-2.0 */
/* Byte sources: files, stdin, memory, each plain or packed with gzip or
 * zstd.
 *
 *   raw bytes (file or memory) --[unpacked]--> window p[0..n) --> calls
 *
 * For a plain source the window lies over the raw bytes themselves. A line is
 * given in place where it lies whole in a buffer of ours (its "\n" becomes the
 * NUL); only lines that cross a refill, and those of borrowed memory, are
 * copied. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/io.h"
#include "base/io_internal.h"
#include "base/mem.h"
#include "base/str_internal.h"

#define BUFFER_BYTES ((size_t)64 * 1024)
#define MAX_LINE_BYTES ((size_t)64 * 1024 * 1024)

struct sn_reader {
  char *name;
  int fd; /* -1: memory */
  bool owns_fd;

  unsigned char *raw_buffer; /* of files */
  const unsigned char *raw;  /* raw bytes not yet taken */
  size_t n_raw;              /* */
  int64_t raw_end_offset;    /* raw bytes seen so far, raw[0..n_raw) included */
  const unsigned char *whole; /* of memory: for seeking */
  size_t n_whole;

  bool is_packed; /* either way */
  bool in_member; /* of gzip */
  z_stream z;
  sni_unzstd *zstd;        /* NULL: gzip */
  unsigned char *unpacked; /* buffer */

  const unsigned char *p; /* the window */
  size_t n;
  int64_t offset; /* of p[0] in the unpacked bytes */

  sn_str line;
  int64_t line_no;
};

void *sni_zlib_alloc(void *opaque, unsigned n, unsigned size) {
  (void)opaque;
  return sn_calloc(n, size);
}

void sni_zlib_free(void *opaque, void *p) {
  (void)opaque;
  sn_free(p);
}

/* ---- Raw bytes ---- */

/* n_raw == 0 afterwards: the end. */
static sn_status fill_raw(sn_reader *r, sn_err *err) {
  if (r->n_raw > 0 || r->fd < 0) return SN_OK;
  ssize_t got = 0;
  do {
    got = read(r->fd, r->raw_buffer, BUFFER_BYTES);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno == EISDIR)
      return sn_fail(err, SN_EIO, "'%s' is a directory; a file was expected",
                     r->name);
    return sn_fail_errno(err, errno, "cannot read '%s' at byte %lld", r->name,
                         (long long)r->raw_end_offset);
  }
  r->raw = r->raw_buffer;
  r->n_raw = (size_t)got;
  r->raw_end_offset += got;
  return SN_OK;
}

#define N_MAGIC 4u /* bytes that tell the kinds apart */

/* The first raw bytes, four at least where there are four, decide. */
static sn_status notice_packing(sn_reader *r, sn_err *err) {
  SN_TRY(fill_raw(r, err));
  while (r->fd >= 0 && r->n_raw > 0 && r->n_raw < N_MAGIC) {
    ssize_t got = 0; /* a pipe may give few bytes at first */
    do {
      got = read(r->fd, r->raw_buffer + r->n_raw, BUFFER_BYTES - r->n_raw);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return sn_fail_errno(err, errno, "cannot read '%s'", r->name);
    if (got == 0) break;
    r->n_raw += (size_t)got;
    r->raw_end_offset += got;
  }
  const bool is_gzip = r->n_raw >= 2 && r->raw[0] == 0x1F && r->raw[1] == 0x8B;
  const bool is_zstd =
      r->n_raw >= N_MAGIC && memcmp(r->raw, "\x28\xB5\x2F\xFD", N_MAGIC) == 0;
  if (!is_gzip && !is_zstd) return SN_OK;
  r->unpacked = sn_realloc(NULL, BUFFER_BYTES, 1);
  if (r->unpacked == NULL) return sn_fail_nomem(err, r->name);
  if (is_zstd) {
    SN_TRY(sni_unzstd_create(r->name, &r->zstd, err));
    r->is_packed = true;
    return SN_OK;
  }
  r->z.zalloc = sni_zlib_alloc;
  r->z.zfree = sni_zlib_free;
  if (inflateInit2(&r->z, 15 + 16) != Z_OK) return sn_fail_nomem(err, r->name);
  r->is_packed = true;
  r->in_member = true;
  return SN_OK;
}

/* ---- The window ---- */

static int64_t raw_offset(const sn_reader *r) {
  return r->raw_end_offset - (int64_t)r->n_raw;
}

/* Between two gzip members: the next one, padding with zeros, or the end. */
static sn_status next_member(sn_reader *r, bool *end, sn_err *err) {
  for (;;) {
    SN_TRY(fill_raw(r, err));
    if (r->n_raw == 0) {
      *end = true;
      return SN_OK;
    }
    if (r->raw[0] == 0x1F) break;
    if (r->raw[0] != 0)
      return sn_fail(err, SN_EFORMAT,
                     "'%s': what follows the gzip data at byte %lld of the "
                     "packed file is not gzip",
                     r->name, (long long)raw_offset(r));
    r->raw++;
    r->n_raw--;
  }
  (void)inflateReset(&r->z); /* fails for a broken z_stream only */
  r->in_member = true;
  return SN_OK;
}

static sn_status inflate_some(sn_reader *r, sn_err *err) {
  const unsigned n_in = r->n_raw < 1u << 30 ? (unsigned)r->n_raw : 1u << 30;
  /* zlib's next_in is not const without ZLIB_CONST; it does not write. */
  memcpy(&r->z.next_in, &r->raw, sizeof r->z.next_in);
  r->z.avail_in = n_in;
  const int z = inflate(&r->z, Z_NO_FLUSH);
  r->raw += n_in - r->z.avail_in;
  r->n_raw -= n_in - r->z.avail_in;
  switch (z) {
    case Z_OK:
    case Z_BUF_ERROR:
      return SN_OK;
    case Z_STREAM_END:
      r->in_member = false;
      return SN_OK;
    case Z_MEM_ERROR:
      return sn_fail_nomem(err, r->name);
    default:
      return sn_fail(err, SN_EFORMAT,
                     "'%s': damaged gzip data before byte %lld of the packed "
                     "file (%s)",
                     r->name, (long long)raw_offset(r),
                     r->z.msg != NULL ? r->z.msg : "not deflate data");
  }
}

static sn_status fail_cut(const sn_reader *r, const char *kind, sn_err *err) {
  return sn_fail(err, SN_EFORMAT,
                 "'%s': the %s data are cut short: the packed file ends at "
                 "byte %lld (%lld bytes unpacked); make or fetch it again",
                 r->name, kind, (long long)raw_offset(r), (long long)r->offset);
}

/* Fills r->unpacked; *n == 0: the end. */
static sn_status fill_gzip(sn_reader *r, size_t *n, sn_err *err) {
  r->z.next_out = r->unpacked;
  r->z.avail_out = (unsigned)BUFFER_BYTES;
  bool end = false;
  while (!end && r->z.avail_out == BUFFER_BYTES) {
    if (!r->in_member) {
      SN_TRY(next_member(r, &end, err));
      continue;
    }
    SN_TRY(fill_raw(r, err));
    if (r->n_raw == 0) return fail_cut(r, "gzip", err);
    SN_TRY(inflate_some(r, err));
  }
  *n = BUFFER_BYTES - r->z.avail_out;
  return SN_OK;
}

static sn_status fill_zstd(sn_reader *r, size_t *n, sn_err *err) {
  for (*n = 0; *n == 0;) {
    SN_TRY(fill_raw(r, err));
    if (r->n_raw == 0 && !sni_unzstd_in_frame(r->zstd)) return SN_OK;
    sni_unzstd_io io = {r->raw, r->n_raw, r->unpacked, BUFFER_BYTES};
    SN_TRY(sni_unzstd_some(r->zstd, &io, r->name, err));
    if (r->n_raw == 0 && io.n_out == 0) return fail_cut(r, "zstd", err);
    r->raw += io.n_in;
    r->n_raw -= io.n_in;
    *n = io.n_out;
  }
  return SN_OK;
}

/* n == 0 afterwards: the end. */
static sn_status fill(sn_reader *r, sn_err *err) {
  if (r->n > 0) return SN_OK;
  if (!r->is_packed) {
    SN_TRY(fill_raw(r, err));
    r->p = r->raw;
    r->n = r->n_raw;
    r->n_raw = 0;
    return SN_OK;
  }
  size_t n = 0;
  SN_TRY(r->zstd != NULL ? fill_zstd(r, &n, err) : fill_gzip(r, &n, err));
  r->p = r->unpacked;
  r->n = n;
  return SN_OK;
}

static void take(sn_reader *r, size_t n) {
  r->p += n;
  r->n -= n;
  r->offset += (int64_t)n;
}

/* ---- Making and closing ---- */

static sn_status reader_new(const char *name, sn_reader **out, sn_err *err) {
  sn_reader *const r = sn_calloc(1, sizeof *r);
  if (r == NULL) return sn_fail_nomem(err, name);
  r->fd = -1;
  r->name = sn_strdup(name);
  if (r->name == NULL) {
    sn_free(r);
    return sn_fail_nomem(err, name);
  }
  *out = r;
  return SN_OK;
}

static sn_status open_file(sn_reader *r, const char *path, sn_err *err) {
  r->raw_buffer = sn_realloc(NULL, BUFFER_BYTES, 1);
  if (r->raw_buffer == NULL) return sn_fail_nomem(err, r->name);
  if (strcmp(path, "-") == 0) {
    r->fd = STDIN_FILENO;
    return SN_OK;
  }
  r->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (r->fd < 0) return sn_fail_errno(err, errno, "cannot open '%s'", path);
  r->owns_fd = true;
  return SN_OK;
}

sn_status sn_reader_open(const char *path, sn_reader **out, sn_err *err) {
  *out = NULL;
  sn_reader *r = NULL;
  SN_TRY(reader_new(strcmp(path, "-") == 0 ? "standard input" : path, &r, err));
  sn_status s = open_file(r, path, err);
  if (s == SN_OK) s = notice_packing(r, err);
  if (s != SN_OK) {
    sn_reader_destroy(r);
    return s;
  }
  *out = r;
  return SN_OK;
}

sn_status sn_reader_memory(const void *data, size_t n, const char *name,
                           sn_reader **out, sn_err *err) {
  *out = NULL;
  sn_reader *r = NULL;
  SN_TRY(reader_new(name, &r, err));
  r->raw = r->whole = data;
  r->n_raw = r->n_whole = n;
  r->raw_end_offset = (int64_t)n;
  const sn_status s = notice_packing(r, err);
  if (s != SN_OK) {
    sn_reader_destroy(r);
    return s;
  }
  *out = r;
  return SN_OK;
}

void sn_reader_destroy(sn_reader *r) {
  if (r == NULL) return;
  if (r->is_packed && r->zstd == NULL) (void)inflateEnd(&r->z);
  sni_unzstd_destroy(r->zstd);
  if (r->owns_fd) (void)close(r->fd);
  sn_free(r->raw_buffer);
  sn_free(r->unpacked);
  sn_str_clear(&r->line);
  sn_free(r->name);
  sn_free(r);
}

const char *sn_reader_name(const sn_reader *r) { return r->name; }
int64_t sn_reader_offset(const sn_reader *r) { return r->offset; }
int64_t sn_reader_line_no(const sn_reader *r) { return r->line_no; }

sn_status sni_reader_seek(sn_reader *r, int64_t offset, sn_err *err) {
  if (r->is_packed)
    return sn_fail(err, SN_EARG,
                   "'%s' is packed: byte %lld cannot be reached "
                   "directly; unpack it first",
                   r->name, (long long)offset);
  if (offset < 0)
    return sn_fail(err, SN_EARG, "'%s': byte %lld: negative offset", r->name,
                   (long long)offset);
  if (r->fd < 0) {
    const size_t at =
        (uint64_t)offset < r->n_whole ? (size_t)offset : r->n_whole;
    r->n_raw = 0;
    r->p = r->whole + at;
    r->n = r->n_whole - at;
  } else {
    if (lseek(r->fd, (off_t)offset, SEEK_SET) < 0)
      return sn_fail_errno(err, errno, "'%s': cannot go to byte %lld", r->name,
                           (long long)offset);
    r->n_raw = 0;
    r->n = 0;
    r->raw_end_offset = offset;
  }
  r->offset = offset;
  return SN_OK;
}

/* ---- Reading ---- */

/* The rest of the window and the refills after it, up to "\n", into r->line. */
static sn_status copy_line(sn_reader *r, bool *any, sn_err *err) {
  sn_str_reset(&r->line);
  *any = false;
  for (;;) {
    SN_TRY(fill(r, err));
    if (r->n == 0) break;
    *any = true;
    const unsigned char *const nl = memchr(r->p, '\n', r->n);
    const size_t n = nl != NULL ? (size_t)(nl - r->p) : r->n;
    if (n > MAX_LINE_BYTES - r->line.n)
      return sn_fail(err, SN_ELIMIT,
                     "%s:%lld: a line of more than %zu MiB: is this a text "
                     "file?",
                     r->name, (long long)r->line_no + 1, MAX_LINE_BYTES >> 20);
    SN_TRY(sn_str_add(&r->line, (const char *)r->p, n, err));
    take(r, n);
    if (nl != NULL) {
      take(r, 1);
      break;
    }
  }
  return SN_OK;
}

/* The line in place, if the window is ours and holds all of it. */
static bool line_in_place(sn_reader *r, sn_span *line) {
  unsigned char *const buffer = r->is_packed ? r->unpacked : r->raw_buffer;
  if (buffer == NULL || r->n == 0) return false;
  const unsigned char *const nl = memchr(r->p, '\n', r->n);
  if (nl == NULL) return false;
  size_t n = (size_t)(nl - r->p);
  line->p = (const char *)r->p;
  if (n > 0 && nl[-1] == '\r') n--;
  line->n = n;
  buffer[(size_t)(r->p - buffer) + n] = '\0';
  take(r, (size_t)(nl - r->p) + 1);
  return true;
}

sn_status sn_read_line(sn_reader *r, sn_span *line, bool *more, sn_err *err) {
  *more = false;
  line->p = "";
  line->n = 0;
  SN_TRY(fill(r, err));
  if (!line_in_place(r, line)) {
    bool any = false;
    SN_TRY(copy_line(r, &any, err));
    if (!any) return SN_OK;
    size_t n = r->line.n;
    if (n > 0 && r->line.data[n - 1] == '\r') r->line.data[--n] = '\0';
    line->p = sn_str_get(&r->line);
    line->n = n;
  }
  r->line_no++;
  *more = true;
  return SN_OK;
}

sn_status sn_read_some(sn_reader *r, void *to, size_t n, size_t *got,
                       sn_err *err) {
  *got = 0;
  if (n == 0) return SN_OK;
  SN_TRY(fill(r, err));
  const size_t m = n < r->n ? n : r->n;
  if (m > 0) memcpy(to, r->p, m);
  take(r, m);
  *got = m;
  return SN_OK;
}

sn_status sn_read_bytes(sn_reader *r, void *to, size_t n, sn_err *err) {
  unsigned char *at = to;
  size_t left = n;
  while (left > 0) {
    size_t got = 0;
    SN_TRY(sn_read_some(r, at, left, &got, err));
    if (got == 0)
      return sn_fail(err, SN_EFORMAT,
                     "'%s' ends at byte %lld; %zu more bytes were expected: "
                     "the file is cut short",
                     r->name, (long long)r->offset, left);
    at += got;
    left -= got;
  }
  return SN_OK;
}

sn_status sn_read_peek(sn_reader *r, int *byte, sn_err *err) {
  *byte = -1;
  SN_TRY(fill(r, err));
  if (r->n > 0) *byte = r->p[0];
  return SN_OK;
}

sn_status sn_reader_fail(const sn_reader *r, sn_err *err, const char *fmt,
                         ...) {
  if (err == NULL || err->code != SN_OK) return SN_EFORMAT;
  va_list ap;
  va_start(ap, fmt);
  char text[sizeof err->msg];
  const sni_locale l = sni_locale_enter();
  (void)vsnprintf(text, sizeof text, fmt, ap);
  sni_locale_leave(l);
  va_end(ap);
  return sn_fail(err, SN_EFORMAT, "%s:%lld: %s", r->name, (long long)r->line_no,
                 text);
}
