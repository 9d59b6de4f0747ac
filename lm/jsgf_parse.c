/* SPDX-License-Identifier: Apache-2.0 */
/* Reads JSGF text into trees.
 *
 *   #JSGF V1.0 [encoding [locale]];
 *   grammar name;
 *   [public] <rule> = expansion;
 *   expansion: sequences separated by "|", each with a weight /2.5/ or none
 *   sequence:  words, "quoted words", <rules>, (groups), [options], each with
 *              * or + and {tags} behind it
 *   comments: // to the end of line, and C's
 *
 * Source: W3C Note "JSpeech Grammar Format", June 2000. Departures: imports
 * are refused; a quoted text with blanks stands for its words one after the
 * other; the version's letter may be small. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "lm/jsgf_internal.h"

/* Brackets within brackets; bounds the parser's recursion. */
#define MAX_DEPTH 200

typedef struct parser {
  sni_jsgf *g;
  const char *p, *end;
  int64_t line;
  int32_t depth;
} parser;

static sn_status fail_at(const parser *ps, int64_t line, sn_err *err,
                         const char *fmt, ...) SN_PRINTF(4, 5);

static sn_status fail_at(const parser *ps, int64_t line, sn_err *err,
                         const char *fmt, ...) {
  char text[400];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return sn_fail(err, SN_EFORMAT, "%s:%lld: %s", ps->g->path, (long long)line,
                 text);
}

/* ---- Characters ---- */

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool is_special(char c) {
  return c != '\0' && strchr(";=|*+<>()[]{}/\"", c) != NULL;
}

static sn_status skip_comment(parser *ps, sn_err *err) {
  const int64_t line = ps->line;
  const bool to_line_end = ps->p[1] == '/';
  for (ps->p += 2; ps->p < ps->end; ps->p++) {
    if (to_line_end && *ps->p == '\n') return SN_OK;
    if (!to_line_end && *ps->p == '*' && ps->p + 1 < ps->end &&
        ps->p[1] == '/') {
      ps->p += 2;
      return SN_OK;
    }
    if (*ps->p == '\n') ps->line++;
  }
  if (to_line_end) return SN_OK;
  return fail_at(ps, line, err, "this comment is not closed");
}

static sn_status skip_space(parser *ps, sn_err *err) {
  while (ps->p < ps->end) {
    if (*ps->p == '/' && ps->p + 1 < ps->end &&
        (ps->p[1] == '/' || ps->p[1] == '*')) {
      SN_TRY(skip_comment(ps, err));
      continue;
    }
    if (!is_blank(*ps->p)) break;
    if (*ps->p == '\n') ps->line++;
    ps->p++;
  }
  return SN_OK;
}

/* The next character that is no space, or -1 at the end. */
static sn_status peek(parser *ps, int *c, sn_err *err) {
  SN_TRY(skip_space(ps, err));
  *c = ps->p < ps->end ? (unsigned char)*ps->p : -1;
  return SN_OK;
}

static sn_status expect(parser *ps, char c, const char *after, sn_err *err) {
  int got;
  SN_TRY(peek(ps, &got, err));
  if (got < 0)
    return fail_at(ps, ps->line, err,
                   "the file ends where '%c' is expected after %s", c, after);
  if (got != c)
    return fail_at(ps, ps->line, err, "expected '%c' after %s, found '%c'", c,
                   after, got);
  ps->p++;
  return SN_OK;
}

/* Characters up to a blank or special one; maybe none. */
static sn_span plain_token(parser *ps) {
  sn_span s = {ps->p, 0};
  while (ps->p < ps->end && !is_blank(*ps->p) && !is_special(*ps->p)) ps->p++;
  s.n = (size_t)(ps->p - s.p);
  return s;
}

/* ---- Trees ---- */

static sn_status new_node(parser *ps, sni_jsgf_kind kind, int32_t value,
                          int32_t child, int32_t *out, sn_err *err) {
  const sni_jsgf_node node = {kind, value, child, -1, 1.0, ps->line};
  if (ps->g->nodes.n >= INT32_MAX)
    return sn_fail(err, SN_ELIMIT, "%s: the grammar is too large", ps->g->path);
  SN_TRY(SN_ARR_PUSH(&ps->g->nodes, node, err));
  *out = (int32_t)ps->g->nodes.n - 1;
  return SN_OK;
}

/* A list of siblings under construction. */
typedef struct list {
  int32_t first, last, n;
} list;

static void append(parser *ps, list *l, int32_t node) {
  if (l->n++ == 0)
    l->first = node;
  else
    ps->g->nodes.data[l->last].next = node;
  l->last = node;
}

/* One child needs no parent. */
static sn_status wrap(parser *ps, sni_jsgf_kind kind, const list *l,
                      int32_t *out, sn_err *err) {
  *out = l->first;
  if (l->n == 1 && kind == SNI_JSGF_SEQUENCE) return SN_OK;
  if (l->n == 1 && kind == SNI_JSGF_CHOICE &&
      ps->g->nodes.data[l->first].weight > 0.0) {
    ps->g->nodes.data[l->first].weight = 1.0;
    return SN_OK;
  }
  return new_node(ps, kind, 0, l->n == 0 ? -1 : l->first, out, err);
}

static sn_status rule_index(parser *ps, sn_span name, int32_t *id,
                            sn_err *err) {
  SN_TRY(sn_symtab_add(ps->g->rule_names, name.p, name.n, id, err));
  if ((size_t)*id < ps->g->rules.n) return SN_OK;
  const sni_jsgf_rule rule = {-1, false, 0, 0};
  return SN_ARR_PUSH(&ps->g->rules, rule, err);
}

/* "<name>" with the '<' at hand; blanks within are dropped at the ends. */
static sn_status rule_name(parser *ps, sn_span *name, sn_err *err) {
  const char *const start = ++ps->p;
  while (ps->p < ps->end && *ps->p != '>' && *ps->p != '\n' && *ps->p != ';' &&
         *ps->p != '<')
    ps->p++;
  if (ps->p == ps->end || *ps->p != '>')
    return fail_at(ps, ps->line, err, "'<' without '>' behind a rule's name");
  name->p = start;
  name->n = (size_t)(ps->p - start);
  *name = sn_span_trim(*name);
  ps->p++;
  if (name->n == 0 || memchr(name->p, '\0', name->n) != NULL)
    return fail_at(ps, ps->line, err, "a rule needs a name between < and >");
  return SN_OK;
}

/* A reference may carry the grammar's own name: <cards.suit>. */
static sn_span without_grammar(const parser *ps, sn_span name) {
  const size_t n = ps->g->name != NULL ? strlen(ps->g->name) : 0;
  if (n > 0 && name.n > n + 1 && memcmp(name.p, ps->g->name, n) == 0 &&
      name.p[n] == '.') {
    name.p += n + 1;
    name.n -= n + 1;
  }
  return name;
}

static sn_status parse_reference(parser *ps, int32_t *out, sn_err *err) {
  sn_span name;
  SN_TRY(rule_name(ps, &name, err));
  if (sn_span_eq(name, "NULL"))
    return new_node(ps, SNI_JSGF_NULL, 0, -1, out, err);
  if (sn_span_eq(name, "VOID"))
    return new_node(ps, SNI_JSGF_VOID, 0, -1, out, err);
  int32_t id;
  SN_TRY(rule_index(ps, without_grammar(ps, name), &id, err));
  sni_jsgf_rule *const rule = &ps->g->rules.data[id];
  if (rule->reference_line == 0) rule->reference_line = ps->line;
  return new_node(ps, SNI_JSGF_RULE, id, -1, out, err);
}

static sn_status word_node(parser *ps, const char *text, size_t n, int32_t *out,
                           sn_err *err) {
  if (memchr(text, '\0', n) != NULL)
    return fail_at(ps, ps->line, err, "a NUL byte within a word");
  int32_t id;
  SN_TRY(sn_symtab_add(ps->g->words, text, n, &id, err));
  return new_node(ps, SNI_JSGF_WORD, id, -1, out, err);
}

/* "text" with \" and \\; its words in sequence. */
static sn_status parse_quoted(parser *ps, int32_t *out, sn_err *err) {
  sn_str word = {0};
  list l = {-1, -1, 0};
  sn_status s = SN_OK;
  for (ps->p++;; ps->p++) {
    const bool ended = ps->p == ps->end || *ps->p == '\n';
    if (ended || *ps->p == '"' || is_blank(*ps->p)) {
      if (word.n > 0) {
        int32_t node;
        SN_TRY_GOTO(s, word_node(ps, word.data, word.n, &node, err));
        append(ps, &l, node);
        sn_str_reset(&word);
      }
      if (ended) {
        s = fail_at(ps, ps->line, err, "a quoted text is not closed");
        goto fail;
      }
      if (*ps->p == '"') break;
      continue;
    }
    if (*ps->p == '\\' && ps->p + 1 < ps->end && ps->p[1] != '\n') ps->p++;
    SN_TRY_GOTO(s, sn_str_add(&word, ps->p, 1, err));
  }
  ps->p++;
  if (l.n == 0) {
    s = fail_at(ps, ps->line, err, "a quoted text without a word");
    goto fail;
  }
  s = wrap(ps, SNI_JSGF_SEQUENCE, &l, out, err);
fail:
  sn_str_clear(&word);
  return s;
}

static sn_status skip_tag(parser *ps, sn_err *err) {
  const int64_t line = ps->line;
  for (ps->p++; ps->p < ps->end; ps->p++) {
    if (*ps->p == '\n') ps->line++;
    if (*ps->p == '\\' && ps->p + 1 < ps->end && ps->p[1] != '\n')
      ps->p++;
    else if (*ps->p == '}') {
      ps->p++;
      return SN_OK;
    }
  }
  return fail_at(ps, line, err, "this tag '{' is not closed");
}

static sn_status parse_choice(parser *ps, int32_t *out, sn_err *err);

static sn_status parse_bracket(parser *ps, char open, int32_t *out,
                               sn_err *err) {
  const int64_t line = ps->line;
  if (ps->depth >= MAX_DEPTH)
    return sn_fail(err, SN_ELIMIT, "%s:%lld: brackets nested deeper than %d",
                   ps->g->path, (long long)line, MAX_DEPTH);
  ps->p++;
  ps->depth++;
  SN_TRY(parse_choice(ps, out, err));
  ps->depth--;
  const char close = open == '(' ? ')' : ']';
  int c;
  SN_TRY(peek(ps, &c, err));
  if (c != close)
    return fail_at(ps, line, err, "this '%c' is not closed", open);
  ps->p++;
  if (open == '[') return new_node(ps, SNI_JSGF_OPTIONAL, 0, *out, out, err);
  return SN_OK;
}

/* What stands between blanks, with its * or + and tags. *out -1: none. */
static sn_status parse_item(parser *ps, int32_t *out, sn_err *err) {
  int c;
  *out = -1;
  SN_TRY(peek(ps, &c, err));
  if (c == '<')
    SN_TRY(parse_reference(ps, out, err));
  else if (c == '"')
    SN_TRY(parse_quoted(ps, out, err));
  else if (c == '(' || c == '[')
    SN_TRY(parse_bracket(ps, (char)c, out, err));
  else if (c >= 0 && !is_special((char)c)) {
    const sn_span token = plain_token(ps);
    SN_TRY(word_node(ps, token.p, token.n, out, err));
  }
  if (*out < 0) return SN_OK;
  for (;;) {
    SN_TRY(peek(ps, &c, err));
    if (c == '{')
      SN_TRY(skip_tag(ps, err));
    else if (c == '*' || c == '+') {
      ps->p++;
      SN_TRY(new_node(ps, c == '*' ? SNI_JSGF_STAR : SNI_JSGF_PLUS, 0, *out,
                      out, err));
    } else
      return SN_OK;
    if (ps->g->nodes.n > 0 && ++ps->depth > MAX_DEPTH)
      return sn_fail(err, SN_ELIMIT, "%s:%lld: more than %d operators in a row",
                     ps->g->path, (long long)ps->line, MAX_DEPTH);
  }
}

/* "/2.5/" with the first '/' at hand. */
static sn_status parse_weight(parser *ps, double *weight, sn_err *err) {
  const char *const start = ++ps->p;
  while (ps->p < ps->end && *ps->p != '/' && *ps->p != '\n') ps->p++;
  const sn_span text = {start, (size_t)(ps->p - start)};
  if (ps->p == ps->end || *ps->p != '/' ||
      !sn_parse_double(sn_span_trim(text), weight) || !isfinite(*weight) ||
      *weight < 0.0)
    return fail_at(ps, ps->line, err,
                   "a weight is written /NUMBER/, 0 or above");
  ps->p++;
  return SN_OK;
}

static sn_status parse_sequence(parser *ps, int32_t *out, sn_err *err) {
  int c;
  double weight = 1.0;
  SN_TRY(peek(ps, &c, err));
  if (c == '/') SN_TRY(parse_weight(ps, &weight, err));
  list l = {-1, -1, 0};
  const int32_t depth = ps->depth;
  for (;;) {
    int32_t item;
    SN_TRY(parse_item(ps, &item, err));
    ps->depth = depth;
    if (item < 0) break;
    append(ps, &l, item);
  }
  SN_TRY(peek(ps, &c, err));
  if (l.n == 0)
    return c < 0 ? fail_at(ps, ps->line, err, "the file ends within a rule")
                 : fail_at(ps, ps->line, err,
                           "expected a word, <rule>, ( or [ before '%c'", c);
  SN_TRY(wrap(ps, SNI_JSGF_SEQUENCE, &l, out, err));
  ps->g->nodes.data[*out].weight = weight;
  return SN_OK;
}

static sn_status parse_choice(parser *ps, int32_t *out, sn_err *err) {
  list l = {-1, -1, 0};
  for (;;) {
    int32_t node = -1;
    int c;
    SN_TRY(parse_sequence(ps, &node, err));
    append(ps, &l, node);
    SN_TRY(peek(ps, &c, err));
    if (c != '|') break;
    ps->p++;
  }
  return wrap(ps, SNI_JSGF_CHOICE, &l, out, err);
}

/* ---- Statements ---- */

static bool eq_nocase(sn_span s, const char *text) {
  if (s.n != strlen(text)) return false;
  for (size_t i = 0; i < s.n; i++) {
    char c = s.p[i];
    if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
    if (c != text[i]) return false;
  }
  return true;
}

static sn_status parse_header(parser *ps, sn_err *err) {
  if (ps->end - ps->p >= 3 && memcmp(ps->p, "\xef\xbb\xbf", 3) == 0) ps->p += 3;
  SN_TRY(skip_space(ps, err));
  if (ps->end - ps->p < 5 || memcmp(ps->p, "#JSGF", 5) != 0)
    return fail_at(ps, ps->line, err,
                   "expected '#JSGF V1.0;' at the beginning");
  ps->p += 5;
  sn_span rest = {ps->p, 0};
  while (ps->p < ps->end && *ps->p != ';' && *ps->p != '\n') ps->p++;
  if (ps->p == ps->end || *ps->p != ';')
    return fail_at(ps, ps->line, err, "expected ';' behind '#JSGF V1.0'");
  rest.n = (size_t)(ps->p++ - rest.p);
  sn_span field;
  if (!sn_next_field(&rest, &field) || !eq_nocase(field, "v1.0"))
    return fail_at(ps, ps->line, err, "only JSGF V1.0 is known");
  if (sn_next_field(&rest, &field) && !eq_nocase(field, "utf-8") &&
      !eq_nocase(field, "utf8") && !eq_nocase(field, "us-ascii") &&
      !eq_nocase(field, "ascii"))
    return fail_at(ps, ps->line, err,
                   "the encoding '%.*s' is not supported; convert the file to "
                   "UTF-8",
                   (int)(field.n < 40 ? field.n : 40), field.p);
  return SN_OK;
}

static sn_status parse_grammar_name(parser *ps, sn_err *err) {
  SN_TRY(skip_space(ps, err));
  const sn_span keyword = plain_token(ps);
  if (!sn_span_eq(keyword, "grammar"))
    return fail_at(ps, ps->line, err, "expected 'grammar NAME;'");
  SN_TRY(skip_space(ps, err));
  const sn_span name = plain_token(ps);
  if (name.n == 0)
    return fail_at(ps, ps->line, err, "expected 'grammar NAME;'");
  ps->g->name = sn_strndup(name.p, name.n);
  if (ps->g->name == NULL) return sn_fail_nomem(err, "grammar");
  return expect(ps, ';', "the grammar's name", err);
}

static sn_status parse_rule(parser *ps, bool is_public, sn_err *err) {
  sn_span name;
  int32_t id, body;
  const int64_t line = ps->line;
  SN_TRY(rule_name(ps, &name, err));
  if (sn_span_eq(name, "NULL") || sn_span_eq(name, "VOID"))
    return fail_at(ps, line, err, "<%.*s> can not be defined", (int)name.n,
                   name.p);
  SN_TRY(rule_index(ps, name, &id, err));
  if (ps->g->rules.data[id].body >= 0)
    return fail_at(ps, line, err, "<%.*s> is defined already on line %lld",
                   (int)(name.n < 80 ? name.n : 80), name.p,
                   (long long)ps->g->rules.data[id].line);
  SN_TRY(expect(ps, '=', "the rule's name", err));
  SN_TRY(parse_choice(ps, &body, err));
  SN_TRY(expect(ps, ';', "a rule", err));
  sni_jsgf_rule *const rule = &ps->g->rules.data[id];
  rule->body = body;
  rule->is_public = is_public;
  rule->line = line;
  return SN_OK;
}

static sn_status parse_statement(parser *ps, sn_err *err) {
  bool is_public = false;
  if (*ps->p != '<') {
    const sn_span keyword = plain_token(ps);
    SN_TRY(skip_space(ps, err));
    if (sn_span_eq(keyword, "import")) {
      sn_span name = {"", 0};
      if (ps->p < ps->end && *ps->p == '<') SN_TRY(rule_name(ps, &name, err));
      return fail_at(ps, ps->line, err,
                     "import <%.*s>: imports are not supported; put the rules "
                     "into this file",
                     (int)(name.n < 80 ? name.n : 80), name.p);
    }
    is_public = sn_span_eq(keyword, "public");
    if (!is_public || ps->p == ps->end || *ps->p != '<')
      return fail_at(ps, ps->line, err,
                     "expected '<RULE> = ...;' or 'public <RULE> = ...;'");
  }
  return parse_rule(ps, is_public, err);
}

/* The defined rule whose name is nearest, or NULL. */
static const char *nearest_rule(const sni_jsgf *g, const char *name) {
  const char *best = NULL;
  size_t best_distance = 3;
  for (size_t i = 0; i < g->rules.n; i++) {
    if (g->rules.data[i].body < 0) continue;
    const char *const other = sn_symtab_get(g->rule_names, (int32_t)i);
    const size_t d = sn_edit_distance(name, other, best_distance);
    if (d < best_distance) {
      best_distance = d;
      best = other;
    }
  }
  return best;
}

static sn_status check_references(const parser *ps, sn_err *err) {
  for (size_t i = 0; i < ps->g->rules.n; i++) {
    const sni_jsgf_rule *const rule = &ps->g->rules.data[i];
    if (rule->body >= 0) continue;
    const char *const name = sn_symtab_get(ps->g->rule_names, (int32_t)i);
    const char *const near = nearest_rule(ps->g, name);
    return fail_at(ps, rule->reference_line, err,
                   "the rule <%.80s> is not defined%s%.80s%s", name,
                   near != NULL ? "; did you mean <" : "",
                   near != NULL ? near : "", near != NULL ? ">?" : "");
  }
  return SN_OK;
}

sn_status sni_jsgf_parse(sni_jsgf *g, const char *text, size_t n, sn_err *err) {
  parser ps = {g, text, text + n, 1, 0};
  size_t bad;
  if (!sn_utf8_valid(text, n, &bad)) {
    for (size_t i = 0; i < bad; i++)
      if (text[i] == '\n') ps.line++;
    return fail_at(&ps, ps.line, err, "not UTF-8 (byte %zu of the file)", bad);
  }
  SN_TRY(sn_symtab_create(&g->words, err));
  SN_TRY(sn_symtab_create(&g->rule_names, err));
  SN_TRY(parse_header(&ps, err));
  SN_TRY(parse_grammar_name(&ps, err));
  for (;;) {
    int c;
    SN_TRY(peek(&ps, &c, err));
    if (c < 0) break;
    SN_TRY(parse_statement(&ps, err));
  }
  return check_references(&ps, err);
}

void sni_jsgf_clear(sni_jsgf *g) {
  sn_symtab_destroy(g->words);
  sn_symtab_destroy(g->rule_names);
  sn_free(g->name);
  SN_ARR_FREE(&g->nodes);
  SN_ARR_FREE(&g->rules);
}
