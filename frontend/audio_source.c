/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of recordings: where they come from and what they seem to be.
 * Sources: Microsoft/IBM "Multimedia Programming Interface and Data
 * Specifications 1.0" (RIFF), WAVEFORMATEXTENSIBLE; NIST SPHERE header text. */
#include "frontend/audio_source_internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define HEAD_BYTES 1024u
#define MAX_WAV_HEADER_BYTES ((int64_t)1 << 20)
/* Programs that write wav to a pipe put 0x7FFFFFFF or 0xFFFFFFFF, or these
 * minus a header, where the length goes. */
#define UNKNOWN_LENGTH 0x7FFF0000u

/* ---- Opening ---- */

sn_status sni_audio_source_open(sni_audio_source *s, const char *path,
                                sn_err *err) {
  const sni_audio_source none = {.fd = -1};
  *s = none;
  s->name = sn_strdup(strcmp(path, "-") == 0 ? "standard input" : path);
  if (s->name == NULL) return sn_fail_nomem(err, path);
  struct stat st;
  if (strcmp(path, "-") != 0) {
    if (stat(path, &st) != 0)
      return sn_fail_errno(err, errno, "cannot open '%s'", path);
    if (S_ISDIR(st.st_mode))
      return sn_fail(err, SN_EIO,
                     "'%s' is a directory; a recording was expected", path);
  }
  if (strcmp(path, "-") == 0 || !S_ISREG(st.st_mode)) {
    s->n_bytes = -1;
    return sn_reader_open(path, &s->stream, err);
  }
  s->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (s->fd < 0) return sn_fail_errno(err, errno, "cannot open '%s'", path);
  s->n_bytes = (int64_t)st.st_size;
  return SN_OK;
}

sn_status sni_audio_source_memory(sni_audio_source *s, const void *data,
                                  size_t n, const char *name, sn_err *err) {
  const sni_audio_source none = {.fd = -1};
  *s = none;
  s->name = sn_strdup(name);
  if (s->name == NULL) return sn_fail_nomem(err, name);
  s->memory = data;
  s->n_bytes = (int64_t)n;
  return SN_OK;
}

void sni_audio_source_clear(sni_audio_source *s) {
  if (s->fd >= 0) (void)close(s->fd);
  s->fd = -1;
  sn_reader_destroy(s->stream);
  s->stream = NULL;
  sn_free(s->kept);
  s->kept = NULL;
  sn_free(s->name);
  s->name = NULL;
}

/* ---- Reading ---- */

static size_t copy_at(const unsigned char *from, size_t n_from, int64_t offset,
                      void *to, size_t n) {
  if (offset < 0 || (uint64_t)offset >= n_from) return 0;
  const size_t left = n_from - (size_t)offset;
  if (n > left) n = left;
  if (n > 0) memcpy(to, from + offset, n);
  return n;
}

size_t sni_audio_source_at(sni_audio_source *s, int64_t offset, void *to,
                           size_t n) {
  if (s->stream != NULL) return copy_at(s->kept, s->n_kept, offset, to, n);
  if (s->fd < 0) return copy_at(s->memory, (size_t)s->n_bytes, offset, to, n);
  size_t done = 0;
  while (done < n && offset >= 0) {
    const ssize_t k = pread(s->fd, (char *)to + done, n - done,
                            (off_t)(offset + (int64_t)done));
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) s->read_errno = errno;
    if (k <= 0) break;
    done += (size_t)k;
  }
  return done;
}

sn_status sni_audio_source_read(sni_audio_source *s, void *to, size_t n,
                                size_t *got, sn_err *err) {
  *got = sni_audio_source_at(s, s->pos, to, n);
  if (*got == 0 && s->stream != NULL)
    SN_TRY(sn_read_some(s->stream, to, n, got, err));
  s->pos += (int64_t)*got;
  if (s->read_errno != 0)
    return sn_fail_errno(err, s->read_errno, "cannot read '%s' at byte %lld",
                         s->name, (long long)s->pos);
  return SN_OK;
}

sn_status sni_audio_source_keep(sni_audio_source *s, size_t n, sn_err *err) {
  while (s->stream != NULL && s->n_kept < n) {
    if (s->cap_kept < n) {
      const size_t cap = n + n / 2 + HEAD_BYTES;
      unsigned char *const p = sn_realloc(s->kept, cap, 1);
      if (p == NULL) return sn_fail_nomem(err, s->name);
      s->kept = p;
      s->cap_kept = cap;
    }
    size_t got = 0;
    SN_TRY(
        sn_read_some(s->stream, s->kept + s->n_kept, n - s->n_kept, &got, err));
    if (got == 0) break;
    s->n_kept += got;
  }
  return SN_OK;
}

sn_status sni_audio_source_slurp(sni_audio_source *s, sn_err *err) {
  if (s->stream == NULL) return SN_OK;
  size_t before;
  do {
    before = s->n_kept;
    SN_TRY(sni_audio_source_keep(s, s->n_kept * 2 + HEAD_BYTES, err));
  } while (s->n_kept > before);
  sn_reader_destroy(s->stream);
  s->stream = NULL;
  s->memory = s->kept;
  s->n_bytes = (int64_t)s->n_kept;
  return SN_OK;
}

/* ---- Headers ---- */

static uint32_t le32(const unsigned char *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
         (uint32_t)p[3] << 24;
}

static unsigned le16(const unsigned char *p) {
  return (unsigned)p[0] | (unsigned)p[1] << 8;
}

static bool is_at(const unsigned char *p, const char *tag) {
  return memcmp(p, tag, 4) == 0;
}

static sn_status get(sni_audio_source *s, int64_t offset, unsigned char *to,
                     size_t n, bool *whole, sn_err *err) {
  *whole = false;
  if (offset > MAX_WAV_HEADER_BYTES) return SN_OK;
  SN_TRY(sni_audio_source_keep(s, (size_t)offset + n, err));
  *whole = sni_audio_source_at(s, offset, to, n) == n;
  return SN_OK;
}

/* The "fmt " chunk's content. */
static void take_format(sni_wav_info *w, const unsigned char *p, size_t n) {
  w->format = le16(p);
  w->n_channels = le16(p + 2);
  w->rate_hz = le32(p + 4);
  w->block_bytes = le16(p + 12);
  w->bits = le16(p + 14);
  /* The extensible form: the true format begins a GUID at byte 24. */
  if (w->format == 0xFFFE && n >= 26) w->format = le16(p + 24);
}

sn_status sni_wav_scan(sni_audio_source *s, sni_wav_info *w, bool *is_wav,
                       sn_err *err) {
  const sni_wav_info none = {0, 0, 0, 0, 0, 0, 0};
  *w = none;
  *is_wav = false;
  unsigned char b[40];
  bool whole = false, has_format = false;
  SN_TRY(get(s, 0, b, 12, &whole, err));
  if (!whole || !is_at(b, "RIFF") || !is_at(b + 8, "WAVE")) return SN_OK;
  for (int64_t at = 12;;) {
    SN_TRY(get(s, at, b, 8, &whole, err));
    if (!whole) return SN_OK;
    const uint32_t n = le32(b + 4);
    if (is_at(b, "data")) {
      w->data_offset = at + 8;
      w->data_bytes = n >= UNKNOWN_LENGTH ? -1 : (int64_t)n;
      *is_wav = has_format && w->block_bytes > 0;
      return SN_OK;
    }
    if (is_at(b, "fmt ")) {
      const size_t n_take = n < sizeof b ? n : sizeof b;
      if (n_take < 16) return SN_OK;
      SN_TRY(get(s, at + 8, b, n_take, &whole, err));
      if (!whole) return SN_OK;
      take_format(w, b, n_take);
      has_format = true;
    }
    at += 8 + (int64_t)n + (int64_t)(n & 1); /* chunks are padded to even */
  }
}

/* The text at the start, NUL-terminated; how long. */
static size_t head_of(sni_audio_source *s, char head[HEAD_BYTES + 1]) {
  const size_t n = sni_audio_source_at(s, 0, head, HEAD_BYTES);
  head[n] = '\0';
  return n;
}

int64_t sni_nist_samples(sni_audio_source *s) {
  char head[HEAD_BYTES + 1];
  (void)head_of(s, head);
  if (strncmp(head, "NIST_1A", 7) != 0) return -1;
  const char *const at = strstr(head, "\nsample_count -i ");
  if (at == NULL) return -1;
  sn_span rest = sn_span_of(at + 17), field;
  int64_t n = -1;
  if (!sn_next_field(&rest, &field) || !sn_parse_int64(field, &n)) return -1;
  return n;
}

/* ---- What the bytes seem to be ---- */

typedef struct magic {
  size_t offset;
  const char *bytes;
  size_t n;
  const char *what;
} magic;

static const magic audio_magics[] = {
    {0, "RIFF", 4, "a wav (RIFF) file"},
    {0, "RIFX", 4, "a big-endian wav (RIFX) file"},
    {0, "RF64", 4, "a wav (RF64) file"},
    {0, "riff", 4, "a wav (W64) file"},
    {0, "FORM", 4, "an aiff file"},
    {0, "fLaC", 4, "a flac file"},
    {0, "OggS", 4, "an ogg file"},
    {0, "NIST_1A", 7, "a NIST SPHERE file"},
    {0, ".snd", 4, "an au file"},
    {0, "caff", 4, "a caf file"},
    {0, "ID3", 3, "an mp3 file"},
};

static const magic other_magics[] = {
    {0, "\x1F\x8B", 2, "packed with gzip: unpack it first"},
    {0, "PK\3\4", 4, "a zip archive: unpack it first"},
    {0, "BZh", 3, "packed with bzip2: unpack it first"},
    {0, "\xFD\x37zXZ", 5, "packed with xz: unpack it first"},
    {0, "\x28\xB5\x2F\xFD", 4, "packed with zstd: unpack it first"},
    {4, "ftyp", 4,
     "an MPEG-4 file (m4a, mp4), which can not be read: convert it, for "
     "example with ffmpeg -i IN out.wav"},
    {0, "\x1A\x45\xDF\xA3", 4,
     "a Matroska or WebM file, which can not be read: convert it, for example "
     "with ffmpeg -i IN out.wav"},
    {0, "#!AMR", 5,
     "an AMR file, which can not be read: convert it, for example with ffmpeg "
     "-i IN out.wav"},
    {0, "\x30\x26\xB2\x75", 4,
     "a Windows Media file, which can not be read: convert it, for example "
     "with ffmpeg -i IN out.wav"},
    {0, "ajkg", 4, "compressed by shorten: unpack it with sph2pipe or shorten"},
    {0,
     "\x7F"
     "ELF",
     4, "a program"},
    {0, "%PDF", 4, "a PDF document"},
    {0, "\x89PNG", 4, "a picture"},
    {0, "\xFF\xD8\xFF", 3, "a picture"},
};

static const magic *find_magic(const magic *list, size_t n_list,
                               const char *head, size_t n) {
  for (size_t i = 0; i < n_list; i++) {
    const magic *const m = &list[i];
    if (m->offset + m->n <= n && memcmp(head + m->offset, m->bytes, m->n) == 0)
      return m;
  }
  return NULL;
}

static const magic *audio_magic(const char *head, size_t n) {
  return find_magic(audio_magics, sizeof audio_magics / sizeof *audio_magics,
                    head, n);
}

bool sni_audio_has_magic(sni_audio_source *s) {
  char head[HEAD_BYTES + 1];
  const size_t n = head_of(s, head);
  return audio_magic(head, n) != NULL;
}

/* Printable ASCII or UTF-8, up to a character that the head cuts. */
static bool is_text(const char *head, size_t n) {
  size_t bad = n;
  if (!sn_utf8_valid(head, n, &bad) && n - bad >= 4) return false;
  for (size_t i = 0; i < bad; i++) {
    const unsigned char c = (unsigned char)head[i];
    if (c < 0x20 && !isspace(c)) return false;
    if (c == 0x7F) return false;
  }
  return n > 0;
}

sn_status sni_audio_fail_unreadable(sni_audio_source *s, sn_err *err) {
  char head[HEAD_BYTES + 1];
  const size_t n = head_of(s, head);
  const magic *m = audio_magic(head, n);
  if (m != NULL)
    return sn_fail(err, SN_EFORMAT,
                   "'%s' begins as %s, but its header is cut short or damaged, "
                   "or its encoding is not supported",
                   s->name, m->what);
  m = find_magic(other_magics, sizeof other_magics / sizeof *other_magics, head,
                 n);
  if (m != NULL)
    return sn_fail(err, SN_EFORMAT, "'%s' is no recording: it is %s", s->name,
                   m->what);
  if (is_text(head, n)) {
    const size_t line = strcspn(head, "\r\n");
    return sn_fail(err, SN_EFORMAT,
                   "'%s' is no recording: it is a text file, which begins "
                   "'%.*s'",
                   s->name, line < 40 ? (int)line : 40, head);
  }
  return sn_fail(
      err, SN_EFORMAT,
      "'%s' is no recording of a known kind (its first bytes are "
      "%02x %02x %02x %02x); if it is headerless 16-bit PCM, state "
      "its sampling rate",
      s->name, (unsigned char)head[0], n > 1 ? (unsigned char)head[1] : 0u,
      n > 2 ? (unsigned char)head[2] : 0u, n > 3 ? (unsigned char)head[3] : 0u);
}

sn_status sni_audio_check(sni_audio_source *s, sn_err *err) {
  SN_TRY(sni_audio_source_keep(s, HEAD_BYTES, err));
  char head[HEAD_BYTES + 1];
  const size_t n = head_of(s, head);
  if (s->read_errno != 0)
    return sn_fail_errno(err, s->read_errno, "cannot read '%s'", s->name);
  if (n == 0)
    return sn_fail(err, SN_EFORMAT, "'%s' is empty (0 bytes)", s->name);
  if (n >= 7 && memcmp(head, "NIST_1A", 7) == 0) {
    const char *const coding = strstr(head, "\nsample_coding ");
    const size_t line = coding != NULL ? strcspn(coding + 1, "\n") : 0;
    static const char *const packers[] = {"shorten", "shortpack", "wavpack"};
    for (size_t i = 0; i < 3; i++) {
      const char *const at = coding != NULL ? strstr(coding, packers[i]) : NULL;
      if (at != NULL && at < coding + 1 + line)
        return sn_fail(err, SN_EFORMAT,
                       "'%s' is a NIST SPHERE file compressed by %s, which can "
                       "not be read: convert it with sph2pipe -f wav IN "
                       "out.wav",
                       s->name, packers[i]);
    }
  }
  return SN_OK;
}
