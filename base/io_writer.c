/* SPDX-License-Identifier: Apache-2.0 */
/* Writing files so that a killed run leaves the old file or none.
 *
 *   1. open TARGET.tmp-PID (O_EXCL; -1, -2, ... follow if it exists) beside the
 *      target; a symbolic link is followed first, so that it stays a link;
 *   2. write through a buffer (packed on the way when the name ends in .gz);
 *   3. commit: flush, fsync, close, rename, fsync the folder.
 * What is no regular file (stdout, a pipe, a device) is written directly. The
 * first failed write is remembered: commit then refuses. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/io.h"
#include "base/io_internal.h"
#include "base/mem.h"
#include "base/str_internal.h"

#define BUFFER_BYTES ((size_t)64 * 1024)
#define MAX_TEMPORARY_NAMES 100
#define MAX_LINKS 40 /* as Linux */

struct sn_writer {
  char *name;   /* as the caller wrote it, for messages */
  char *target; /* what the temporary file becomes; NULL: written directly */
  char *temporary;
  char *folder; /* of the target */
  int fd;
  bool owns_fd, committed;
  sn_status failed;

  unsigned char *buffer; /* bytes for the file */
  size_t n;
  int64_t n_written; /* bytes given to the system */
  int64_t offset;    /* bytes taken from the caller */

  bool is_packed;
  z_stream z;
  sn_str text; /* scratch of sn_writef */
};

static sn_status fail_write(sn_writer *w, int e, sn_err *err) {
  w->failed = SN_EIO;
  const char *advice = "";
  if (e == ENOSPC || e == EDQUOT)
    advice = "free some space, or write to another disk";
  else if (e == EFBIG)
    advice = "raise the limit on file sizes (ulimit -f), or write elsewhere";
  else if (e == EPIPE)
    advice = "whoever read it has stopped";
  if (advice[0] == '\0')
    return sn_fail_errno(err, e, "cannot write '%s' at byte %lld", w->name,
                         (long long)w->n_written);
  return sn_fail(err, SN_EIO, "cannot write '%s' at byte %lld: %s; %s", w->name,
                 (long long)w->n_written, strerror(e), advice);
}

static sn_status write_all(sn_writer *w, const unsigned char *p, size_t n,
                           sn_err *err) {
  while (n > 0) {
    const ssize_t k = write(w->fd, p, n);
    if (k < 0) {
      if (errno == EINTR) continue;
      return fail_write(w, errno, err);
    }
    p += k;
    n -= (size_t)k;
    w->n_written += k;
  }
  return SN_OK;
}

static sn_status flush_buffer(sn_writer *w, sn_err *err) {
  const size_t n = w->n;
  w->n = 0;
  return write_all(w, w->buffer, n, err);
}

/* Bytes for the file as they are. */
static sn_status put(sn_writer *w, const unsigned char *p, size_t n,
                     sn_err *err) {
  if (n > BUFFER_BYTES - w->n) SN_TRY(flush_buffer(w, err));
  if (n >= BUFFER_BYTES) return write_all(w, p, n, err);
  if (n > 0) memcpy(w->buffer + w->n, p, n);
  w->n += n;
  return SN_OK;
}

/* Bytes for the file through deflate; n == 0 with Z_FINISH ends the packing. */
static sn_status pack(sn_writer *w, const unsigned char *p, size_t n, int flush,
                      sn_err *err) {
  do {
    const unsigned part = n < 1u << 30 ? (unsigned)n : 1u << 30;
    memcpy(&w->z.next_in, &p, sizeof w->z.next_in); /* zlib does not write it */
    w->z.avail_in = part;
    do {
      if (w->n == BUFFER_BYTES) SN_TRY(flush_buffer(w, err));
      w->z.next_out = w->buffer + w->n;
      w->z.avail_out = (unsigned)(BUFFER_BYTES - w->n);
      (void)deflate(&w->z, n > part ? Z_NO_FLUSH : flush); /* cannot fail */
      w->n = BUFFER_BYTES - w->z.avail_out;
    } while (w->z.avail_out == 0);
    p += part;
    n -= part;
  } while (n > 0);
  return SN_OK;
}

/* ---- Opening ---- */

/* w->target = what the symbolic links from `path` on lead to, or path. */
static sn_status follow_links(sn_writer *w, const char *path, sn_err *err) {
  w->target = sn_strdup(path);
  for (int i = 0; w->target != NULL && i < MAX_LINKS; i++) {
    char link[PATH_MAX];
    const ssize_t n = readlink(w->target, link, sizeof link - 1);
    if (n < 0) return SN_OK; /* no link (any more) */
    link[n] = '\0';
    char *next = NULL;
    if (link[0] == '/') {
      next = sn_strdup(link);
    } else {
      const char *const base = sn_path_base(w->target);
      char *const dir = sn_strndup(w->target, (size_t)(base - w->target));
      if (dir != NULL) next = sn_path_join(dir, link);
      sn_free(dir);
    }
    sn_free(w->target);
    w->target = next;
  }
  if (w->target == NULL) return sn_fail_nomem(err, path);
  return sn_fail(err, SN_EIO, "cannot write '%s': its symbolic links go round",
                 path);
}

/* *direct: the path names something that is no regular file. */
static sn_status find_target(sn_writer *w, const char *path, bool *direct,
                             sn_err *err) {
  struct stat st;
  *direct = strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
  if (!*direct && stat(path, &st) == 0) {
    if (S_ISDIR(st.st_mode))
      return sn_fail(err, SN_EIO, "cannot write '%s': it is a directory", path);
    *direct = !S_ISREG(st.st_mode);
  }
  return *direct ? SN_OK : follow_links(w, path, err);
}

static sn_status open_temporary(sn_writer *w, sn_err *err) {
  const size_t n_folder = (size_t)(sn_path_base(w->target) - w->target);
  w->folder = n_folder > 0 ? sn_strndup(w->target, n_folder) : sn_strdup(".");
  if (w->folder == NULL) return sn_fail_nomem(err, w->name);
  sn_str name = {0};
  sn_status s = SN_OK;
  for (int i = 0; w->fd < 0; i++) {
    sn_str_reset(&name);
    s = i == 0
            ? sn_str_addf(&name, err, "%s.tmp-%ld", w->target, (long)getpid())
            : sn_str_addf(&name, err, "%s.tmp-%ld-%d", w->target,
                          (long)getpid(), i);
    if (s != SN_OK) break;
    w->fd = open(name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd >= 0 || (errno == EEXIST && i < MAX_TEMPORARY_NAMES)) continue;
    s = sn_fail_errno(err, errno, "cannot write '%s' (as '%s')", w->name,
                      name.data);
    break;
  }
  if (s == SN_OK) w->temporary = name.data; /* moves */
  if (s != SN_OK) sn_str_clear(&name);
  return s;
}

static sn_status open_output(sn_writer *w, const char *path, sn_err *err) {
  if (strcmp(path, "-") == 0) {
    w->fd = STDOUT_FILENO;
    return SN_OK;
  }
  bool direct = false;
  SN_TRY(find_target(w, path, &direct, err));
  w->owns_fd = true;
  if (!direct) return open_temporary(w, err);
  w->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (w->fd < 0) return sn_fail_errno(err, errno, "cannot write '%s'", path);
  return SN_OK;
}

static sn_status start_packing(sn_writer *w, sn_err *err) {
  w->z.zalloc = sni_zlib_alloc;
  w->z.zfree = sni_zlib_free;
  if (deflateInit2(&w->z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK)
    return sn_fail_nomem(err, w->name);
  w->is_packed = true;
  return SN_OK;
}

static sn_status writer_open(const char *path, bool packed, bool seekable,
                             sn_writer **out, sn_err *err) {
  *out = NULL;
  sn_writer *const w = sn_calloc(1, sizeof *w);
  if (w == NULL) return sn_fail_nomem(err, path);
  w->fd = -1;
  w->name = sn_strdup(strcmp(path, "-") == 0 ? "standard output" : path);
  w->buffer = sn_realloc(NULL, BUFFER_BYTES, 1);
  sn_status s = SN_OK;
  if (w->name == NULL || w->buffer == NULL)
    SN_TRY_GOTO(s, sn_fail_nomem(err, path));
  SN_TRY_GOTO(s, open_output(w, path, err));
  if (seekable && w->temporary == NULL && lseek(w->fd, 0, SEEK_CUR) != 0)
    SN_TRY_GOTO(s, sn_fail(err, SN_EARG,
                           "'%s' cannot hold a binary file that is finished "
                           "at its start; name a file instead",
                           w->name));
  if (packed) SN_TRY_GOTO(s, start_packing(w, err));
  *out = w;
  return SN_OK;
fail:
  sn_writer_destroy(w);
  return s;
}

sn_status sn_writer_open(const char *path, sn_writer **out, sn_err *err) {
  const size_t n = strlen(path);
  const bool packed = n > 3 && strcmp(path + n - 3, ".gz") == 0;
  return writer_open(path, packed, false, out, err);
}

sn_status sni_writer_open_raw(const char *path, bool seekable, sn_writer **out,
                              sn_err *err) {
  return writer_open(path, false, seekable, out, err);
}

/* ---- Writing ---- */

sn_status sn_write_bytes(sn_writer *w, const void *data, size_t n,
                         sn_err *err) {
  SN_ASSERT(!w->committed);
  if (w->failed != SN_OK)
    return sn_fail(err, w->failed, "'%s': an earlier write failed", w->name);
  w->offset += (int64_t)n;
  if (!w->is_packed) return put(w, data, n, err);
  return n > 0 ? pack(w, data, n, Z_NO_FLUSH, err) : SN_OK;
}

sn_status sn_writef(sn_writer *w, sn_err *err, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  sn_str_reset(&w->text);
  const sn_status s = sni_str_addv(&w->text, err, fmt, ap);
  va_end(ap);
  SN_TRY(s);
  return sn_write_bytes(w, w->text.data, w->text.n, err);
}

int64_t sn_writer_offset(const sn_writer *w) { return w->offset; }

sn_status sni_writer_patch(sn_writer *w, int64_t offset, const void *data,
                           size_t n, sn_err *err) {
  SN_ASSERT(!w->is_packed && offset >= 0 && offset + (int64_t)n <= w->offset);
  SN_TRY(flush_buffer(w, err));
  const unsigned char *p = data;
  while (n > 0) {
    const ssize_t k = pwrite(w->fd, p, n, (off_t)offset);
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return fail_write(w, errno, err);
    p += k;
    n -= (size_t)k;
    offset += k;
  }
  return SN_OK;
}

/* ---- Committing ---- */

/* Best effort: the file is whole without it, only its name may be lost in a
 * power cut, and some file systems refuse. */
static void sync_folder(const char *folder) {
  const int fd = open(folder, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  (void)close(fd);
}

static sn_status finish_file(sn_writer *w, sn_err *err) {
  if (w->temporary != NULL && fsync(w->fd) != 0)
    return fail_write(w, errno, err);
  if (w->owns_fd) {
    const int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0) return fail_write(w, errno, err);
  }
  if (w->temporary != NULL) {
    if (rename(w->temporary, w->target) != 0)
      return sn_fail_errno(err, errno, "cannot rename '%s' to '%s'",
                           w->temporary, w->target);
    sync_folder(w->folder);
  }
  return SN_OK;
}

sn_status sn_writer_commit(sn_writer *w, sn_err *err) {
  SN_ASSERT(!w->committed);
  if (w->failed != SN_OK)
    return sn_fail(err, w->failed, "'%s': an earlier write failed", w->name);
  if (w->is_packed)
    SN_TRY(pack(w, (const unsigned char *)"", 0, Z_FINISH, err));
  SN_TRY(flush_buffer(w, err));
  SN_TRY(finish_file(w, err));
  w->committed = true;
  return SN_OK;
}

void sn_writer_destroy(sn_writer *w) {
  if (w == NULL) return;
  if (w->is_packed) (void)deflateEnd(&w->z);
  if (w->owns_fd && w->fd >= 0) (void)close(w->fd);
  if (w->temporary != NULL && !w->committed) (void)unlink(w->temporary);
  sn_free(w->name);
  sn_free(w->target);
  sn_free(w->temporary);
  sn_free(w->folder);
  sn_free(w->buffer);
  sn_str_clear(&w->text);
  sn_free(w);
}
