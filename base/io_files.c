/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files, folders, paths, maps, checksums. */
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

sn_status sn_file_read(const char *path, char **data, size_t *n, sn_err *err) {
  *data = NULL;
  *n = 0;
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  char *bytes = NULL;
  size_t used = 0, cap = 0, got = 0;
  sn_status s = SN_OK;
  do {
    if (cap - used < 2) {
      const size_t want = cap < (size_t)16 * 1024 ? (size_t)64 * 1024 : cap * 2;
      char *const p = sn_realloc(bytes, want, 1);
      if (p == NULL) SN_TRY_GOTO(s, sn_fail_nomem(err, path));
      bytes = p;
      cap = want;
    }
    SN_TRY_GOTO(s, sn_read_some(r, bytes + used, cap - used - 1, &got, err));
    used += got;
  } while (got > 0);
  bytes[used] = '\0';
  *data = bytes;
  *n = used;
  sn_reader_destroy(r);
  return SN_OK;
fail:
  sn_free(bytes);
  sn_reader_destroy(r);
  return s;
}

bool sn_file_exists(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

bool sn_dir_exists(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static sn_status make_one(const char *path, sn_err *err) {
  if (mkdir(path, 0777) == 0) return SN_OK;
  const int e = errno;
  if (sn_dir_exists(path)) return SN_OK;
  return sn_fail_errno(err, e, "cannot make the folder '%s'", path);
}

sn_status sn_dir_make(const char *path, sn_err *err) {
  if (sn_dir_exists(path)) return SN_OK;
  char *const part = sn_strdup(path);
  if (part == NULL) return sn_fail_nomem(err, path);
  sn_status s = SN_OK;
  for (char *p = part + 1; s == SN_OK && part[0] != '\0' && *p != '\0'; p++) {
    if (*p != '/') continue;
    *p = '\0';
    s = make_one(part, err);
    *p = '/';
  }
  if (s == SN_OK) s = make_one(part, err);
  sn_free(part);
  return s;
}

char *sn_path_join(const char *dir, const char *name) {
  const size_t a = strlen(dir), b = strlen(name);
  char *const p = sn_calloc(a + b + 2, 1);
  if (p == NULL) return NULL;
  memcpy(p, dir, a);
  size_t n = a;
  if (n > 0 && p[n - 1] != '/') p[n++] = '/';
  memcpy(p + n, name, b);
  return p;
}

const char *sn_path_base(const char *path) {
  const char *const slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

sn_status sn_map_open(const char *path, sn_map *out, sn_err *err) {
  out->data = NULL;
  out->n = 0;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return sn_fail_errno(err, errno, "cannot open '%s'", path);
  struct stat st;
  sn_status s = SN_OK;
  if (fstat(fd, &st) != 0) {
    s = sn_fail_errno(err, errno, "cannot open '%s'", path);
  } else if (S_ISDIR(st.st_mode)) {
    s = sn_fail(err, SN_EIO, "'%s' is a directory; a file was expected", path);
  } else if (!S_ISREG(st.st_mode)) {
    s = sn_fail(err, SN_EIO, "'%s' is no regular file and cannot be mapped",
                path);
  } else if (st.st_size > 0) {
    void *const p =
        mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
      const int e = errno;
      s = e == ENOMEM
              ? sn_fail(err, SN_ENOMEM,
                        "'%s': no address space for %lld bytes (ulimit -v?)",
                        path, (long long)st.st_size)
              : sn_fail_errno(err, e, "cannot map '%s'", path);
    } else {
      out->data = p;
      out->n = (size_t)st.st_size;
    }
  }
  (void)close(fd);
  return s;
}

void sn_map_close(sn_map *m) {
  if (m->data != NULL) {
    void *p; /* munmap takes a pointer to what may not be written through */
    memcpy(&p, &m->data, sizeof p);
    (void)munmap(p, m->n);
  }
  m->data = NULL;
  m->n = 0;
}

uint32_t sn_crc32(uint32_t crc, const void *data, size_t n) {
  return n > 0 ? libdeflate_crc32(crc, data, n) : crc;
}
