/* SPDX-License-Identifier: Apache-2.0 */
/* Settings files. A few dozen entries: an array in file order, searched from
 * end to end. */
#include "base/ini.h"

#include <string.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/mem.h"

typedef struct entry {
  char *section, *key, *value; /* owned */
} entry;

struct sn_ini {
  char *name; /* of the file, for messages */
  SN_ARR(entry) entries;
};

static void clear_entry(entry *e) {
  sn_free(e->section);
  sn_free(e->key);
  sn_free(e->value);
}

static sn_status ini_new(const char *name, sn_ini **out, sn_err *err) {
  *out = NULL;
  sn_ini *const ini = sn_calloc(1, sizeof *ini);
  if (ini == NULL) return sn_fail_nomem(err, name);
  ini->name = sn_strdup(name);
  if (ini->name == NULL) {
    sn_free(ini);
    return sn_fail_nomem(err, name);
  }
  *out = ini;
  return SN_OK;
}

sn_status sn_ini_create(sn_ini **out, sn_err *err) {
  return ini_new("settings", out, err);
}

void sn_ini_destroy(sn_ini *ini) {
  if (ini == NULL) return;
  for (size_t i = 0; i < ini->entries.n; i++)
    clear_entry(&ini->entries.data[i]);
  SN_ARR_FREE(&ini->entries);
  sn_free(ini->name);
  sn_free(ini);
}

static entry *find(const sn_ini *ini, sn_span section, sn_span key) {
  for (size_t i = 0; i < ini->entries.n; i++) {
    entry *const e = &ini->entries.data[i];
    if (sn_span_eq(key, e->key) && sn_span_eq(section, e->section)) return e;
  }
  return NULL;
}

static sn_status add(sn_ini *ini, sn_span section, sn_span key, sn_span value,
                     sn_err *err) {
  entry e = {sn_strndup(section.p, section.n), sn_strndup(key.p, key.n),
             sn_strndup(value.p, value.n)};
  if (e.section != NULL && e.key != NULL && e.value != NULL &&
      SN_ARR_PUSH(&ini->entries, e, NULL) == SN_OK)
    return SN_OK;
  clear_entry(&e);
  return sn_fail_nomem(err, ini->name);
}

/* ---- Parsing ---- */

/* section: of the lines read so far; replaced by a "[...]" line. */
static sn_status parse_line(sn_ini *ini, const sn_reader *r, sn_span line,
                            char **section, sn_err *err) {
  line = sn_span_trim(line);
  if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';') return SN_OK;
  if (memchr(line.p, '\0', line.n) != NULL)
    return sn_reader_fail(r, err, "a NUL byte: this is not a text file");
  if (line.p[0] == '[') {
    if (line.p[line.n - 1] != ']')
      return sn_reader_fail(r, err, "']' is missing after the section's name");
    const sn_span inner = {line.p + 1, line.n - 2};
    const sn_span name = sn_span_trim(inner);
    char *const copy = sn_strndup(name.p, name.n);
    if (copy == NULL) return sn_fail_nomem(err, ini->name);
    sn_free(*section);
    *section = copy;
    return SN_OK;
  }
  const char *const equals = memchr(line.p, '=', line.n);
  const sn_span left = {line.p, equals ? (size_t)(equals - line.p) : 0};
  const sn_span key = sn_span_trim(left);
  if (key.n == 0)
    return sn_reader_fail(
        r, err, "expected 'key = value', '[section]' or '# comment': '%.*s'",
        line.n < 60 ? (int)line.n : 60, line.p);
  const sn_span right = {equals + 1, line.n - left.n - 1};
  const sn_span in = {*section, strlen(*section)};
  if (find(ini, in, key) != NULL)
    return sn_reader_fail(r, err, "'%.*s' appears twice in section [%s]",
                          (int)key.n, key.p, *section);
  return add(ini, in, key, sn_span_trim(right), err);
}

static sn_status parse_all(sn_ini *ini, sn_reader *r, sn_err *err) {
  char *section = sn_strdup("");
  if (section == NULL) return sn_fail_nomem(err, ini->name);
  sn_status s = SN_OK;
  bool more = true;
  while (s == SN_OK && more) {
    sn_span line;
    s = sn_read_line(r, &line, &more, err);
    if (s == SN_OK && more) s = parse_line(ini, r, line, &section, err);
  }
  sn_free(section);
  return s;
}

/* Takes the reader over. */
static sn_status parse(sn_reader *r, sn_ini **out, sn_err *err) {
  sn_ini *ini = NULL;
  sn_status s = ini_new(sn_reader_name(r), &ini, err);
  if (s == SN_OK) s = parse_all(ini, r, err);
  sn_reader_destroy(r);
  if (s != SN_OK)
    sn_ini_destroy(ini);
  else
    *out = ini;
  return s;
}

sn_status sn_ini_load(const char *path, sn_ini **out, sn_err *err) {
  *out = NULL;
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  return parse(r, out, err);
}

sn_status sn_ini_parse(const char *text, size_t n, const char *name,
                       sn_ini **out, sn_err *err) {
  *out = NULL;
  sn_reader *r = NULL;
  SN_TRY(sn_reader_memory(text, n, name, &r, err));
  return parse(r, out, err);
}

/* ---- Saving ---- */

static bool seen_before(const sn_ini *ini, size_t i) {
  const entry *const e = ini->entries.data;
  for (size_t k = 0; k < i; k++)
    if (strcmp(e[k].section, e[i].section) == 0) return true;
  return false;
}

static sn_status write_section(const sn_ini *ini, const char *section,
                               sn_writer *w, sn_err *err) {
  if (section[0] != '\0')
    SN_TRY(sn_writef(w, err, "%s[%s]\n", sn_writer_offset(w) > 0 ? "\n" : "",
                     section));
  for (size_t i = 0; i < ini->entries.n; i++) {
    const entry *const e = &ini->entries.data[i];
    if (strcmp(e->section, section) == 0)
      SN_TRY(sn_writef(w, err, "%s = %s\n", e->key, e->value));
  }
  return SN_OK;
}

sn_status sn_ini_save(const sn_ini *ini, const char *path, sn_err *err) {
  sn_writer *w = NULL;
  SN_TRY(sn_writer_open(path, &w, err));
  /* Keys without a section can only stand before the first one. */
  sn_status s = write_section(ini, "", w, err);
  for (size_t i = 0; s == SN_OK && i < ini->entries.n; i++) {
    const char *const section = ini->entries.data[i].section;
    if (section[0] != '\0' && !seen_before(ini, i))
      s = write_section(ini, section, w, err);
  }
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  return s;
}

/* ---- Access ---- */

const char *sn_ini_get(const sn_ini *ini, const char *section,
                       const char *key) {
  const entry *const e = find(ini, sn_span_of(section), sn_span_of(key));
  return e != NULL ? e->value : NULL;
}

sn_status sn_ini_need(const sn_ini *ini, const char *section, const char *key,
                      const char **value, sn_err *err) {
  *value = sn_ini_get(ini, section, key);
  if (*value != NULL) return SN_OK;
  return sn_fail(err, SN_EFORMAT, "'%s': section [%s] has no '%s'", ini->name,
                 section, key);
}

sn_status sn_ini_get_double(const sn_ini *ini, const char *section,
                            const char *key, double *out, sn_err *err) {
  const char *const text = sn_ini_get(ini, section, key);
  if (text == NULL || sn_parse_double(sn_span_of(text), out)) return SN_OK;
  return sn_fail(err, SN_EFORMAT,
                 "'%s': '%s' in section [%s] is not a number: '%s'", ini->name,
                 key, section, text);
}

/* Whether `s` reads back as it is when it stands in a line of its own. */
static bool survives(const char *s, const char *forbidden) {
  const sn_span all = sn_span_of(s), trimmed = sn_span_trim(all);
  return trimmed.n == all.n && strpbrk(s, forbidden) == NULL;
}

sn_status sn_ini_set(sn_ini *ini, const char *section, const char *key,
                     const char *value, sn_err *err) {
  if (!survives(section, "\r\n[]") || !survives(value, "\r\n") ||
      !survives(key, "\r\n=") || key[0] == '\0' || strchr("[#;", key[0]))
    return sn_fail(err, SN_EARG,
                   "'%s': [%s] %s = '%s' cannot be written: line breaks, "
                   "blanks at an end or '=' in a key",
                   ini->name, section, key, value);
  entry *const e = find(ini, sn_span_of(section), sn_span_of(key));
  if (e == NULL)
    return add(ini, sn_span_of(section), sn_span_of(key), sn_span_of(value),
               err);
  char *const copy = sn_strdup(value);
  if (copy == NULL) return sn_fail_nomem(err, ini->name);
  sn_free(e->value);
  e->value = copy;
  return SN_OK;
}

const char *sn_ini_key_at(const sn_ini *ini, const char *section, size_t i,
                          const char **value) {
  for (size_t k = 0; k < ini->entries.n; k++) {
    const entry *const e = &ini->entries.data[k];
    if (strcmp(e->section, section) != 0 || i-- > 0) continue;
    if (value != NULL) *value = e->value;
    return e->key;
  }
  return NULL;
}
