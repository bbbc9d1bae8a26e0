/*
 * Ratings in SQLite.
 *
 * synchronous = FULL in WAL mode: a change is on the disk before the page is told that it is, which
 * costs some milliseconds a rating and nobody waits for.  The file may lie in a folder that a
 * stranger wrote; triggers and views in it are off.
 */
#include "browse/book.h"

#include "base/file.h"
#include "base/memory.h"
#include "data/ratings.h"

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { APPLICATION = 0x70696172 /* "piar" */, SCHEMA = 3, PATIENCE_MS = 5000 };

/* What each version of the file adds to the one before: a new file begins at none, an older one
   goes on from its own. */
static const char *const schema_sql[SCHEMA] = {
    ("CREATE TABLE ratings(person TEXT NOT NULL, path TEXT NOT NULL, score REAL NOT NULL, "
     "changed INTEGER NOT NULL, PRIMARY KEY(person, path)) WITHOUT ROWID;"
     "CREATE TABLE changes(number INTEGER PRIMARY KEY, person TEXT NOT NULL, path TEXT NOT NULL, "
     "before REAL, after REAL, undone INTEGER NOT NULL DEFAULT 0);"),
    ("CREATE TABLE comparisons(number INTEGER PRIMARY KEY, person TEXT NOT NULL, one TEXT NOT "
     "NULL, "
     "other TEXT NOT NULL, win REAL, changed INTEGER NOT NULL);"
     "ALTER TABLE changes ADD COLUMN other TEXT;"),
    ("CREATE TABLE picks(number INTEGER NOT NULL, person TEXT NOT NULL, path TEXT NOT NULL, "
     "kept INTEGER NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY(number, path)) WITHOUT ROWID;"
     "ALTER TABLE changes ADD COLUMN picks INTEGER;"),
};

enum {
    FIND,
    SET,
    CLEAR,
    ADD_CHANGE,
    LAST_CHANGE,
    MARK_UNDONE,
    EACH,
    ADD_PAIR_CHANGE,
    ADD_PAIR,
    DROP_PAIR,
    EACH_PAIR,
    ADD_PICK_CHANGE,
    ADD_PICK,
    DROP_PICKS,
    EACH_PICK,
    PEOPLE,
    STATEMENTS
};

/* ?1 is the person wherever it is used. */
static const char *const statement_sql[STATEMENTS] = {
    [FIND] = "SELECT score FROM ratings WHERE person = ?1 AND path = ?2",
    [SET] = "INSERT OR REPLACE INTO ratings(person, path, score, changed) VALUES(?1, ?2, ?3, ?4)",
    [CLEAR] = "DELETE FROM ratings WHERE person = ?1 AND path = ?2",
    [ADD_CHANGE] = "INSERT INTO changes(person, path, before, after) VALUES(?1, ?2, ?3, ?4)",
    [LAST_CHANGE] =
        ("SELECT number, path, before, after, other, picks FROM changes WHERE person = ?1 AND "
         "undone = 0 ORDER BY number DESC LIMIT 1"),
    [MARK_UNDONE] = "UPDATE changes SET undone = 1 WHERE person = ?1 AND number = ?2",
    [EACH] = "SELECT path, score FROM ratings WHERE person = ?1 ORDER BY path",
    [ADD_PAIR_CHANGE] = "INSERT INTO changes(person, path, other, after) VALUES(?1, ?2, ?3, ?4)",
    [ADD_PAIR] = ("INSERT INTO comparisons(number, person, one, other, win, changed) "
                  "VALUES(last_insert_rowid(), ?1, ?2, ?3, ?4, ?5)"),
    [DROP_PAIR] = "DELETE FROM comparisons WHERE person = ?1 AND number = ?2",
    [EACH_PAIR] = ("SELECT one, other, win FROM comparisons WHERE person = ?1 ORDER BY number"),
    [ADD_PICK_CHANGE] = "INSERT INTO changes(person, path, picks) VALUES(?1, ?2, 1)",
    [ADD_PICK] = ("INSERT OR REPLACE INTO picks(person, path, number, kept, changed) "
                  "VALUES(?1, ?2, ?3, ?4, ?5)"),
    [DROP_PICKS] = "DELETE FROM picks WHERE person = ?1 AND number = ?2",
    [EACH_PICK] = "SELECT path, kept FROM picks WHERE person = ?1 ORDER BY number",
    [PEOPLE] = "SELECT person FROM ratings UNION SELECT person FROM comparisons UNION SELECT "
               "person FROM picks ORDER BY person",
};

struct piaa_book {
    sqlite3 *db;
    char *path, *person;
    sqlite3_stmt *statements[STATEMENTS];
};

static bool sql_error(const piaa_book *b, piaa_error *error) {
    return piaa_error_set(error, sqlite3_errcode(b->db) == SQLITE_BUSY ? PIAA_BUSY : PIAA_IO,
                          "the ratings in %.700s: %s", b->path, sqlite3_errmsg(b->db));
}

static bool execute(piaa_book *b, const char *sql, piaa_error *error) {
    return sqlite3_exec(b->db, sql, NULL, NULL, NULL) == SQLITE_OK || sql_error(b, error);
}

/* ----------------------------------------------------------------------------------------- open */

/* The usual file, its folders made. */
static char *usual_path(piaa_error *error) {
    char *folder = piaa_data_path("piaa", "ratings", "name a file with --book", error),
         *path = NULL;
    if (folder && !piaa_folders_make(folder))
        piaa_error_set_errno(error, errno, "cannot make the folder %.700s for ratings", folder);
    else if (folder)
        path = piaa_path_join(folder, "ratings.sqlite", error);
    free(folder);
    return path;
}

static bool read_number(piaa_book *b, const char *sql, int64_t *out, piaa_error *error) {
    sqlite3_stmt *s = NULL;
    const bool ok =
        sqlite3_prepare_v2(b->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    if (ok) *out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return ok || sql_error(b, error);
}

/* Brings a file of version `from` to this one, wholly or not at all. */
static bool update_schema(piaa_book *b, int64_t from, piaa_error *error) {
    piaa_text sql = {0};
    piaa_text_format(&sql, error, "BEGIN;");
    for (int64_t i = from; i < SCHEMA; i++) piaa_text_format(&sql, error, "%s", schema_sql[i]);
    piaa_text_format(&sql, error, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                     APPLICATION, SCHEMA);
    const bool ok = !sql.failed && execute(b, sql.data, error);
    if (!ok) sqlite3_exec(b->db, "ROLLBACK", NULL, NULL, NULL);
    free(sql.data);
    return ok;
}

/* The tables of a new file, or that it is one of ours. */
static bool settle_schema(piaa_book *b, piaa_error *error) {
    int64_t application = 0, version = 0, tables = 0;
    if (!read_number(b, "PRAGMA application_id", &application, error) ||
        !read_number(b, "PRAGMA user_version", &version, error) ||
        !read_number(b, "SELECT count(*) FROM sqlite_master", &tables, error))
        return false;
    if (application == APPLICATION && version == SCHEMA) return true;
    if (application == APPLICATION && version > 0 && version < SCHEMA)
        return update_schema(b, version, error);
    if (application == APPLICATION)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "the ratings in %.700s were written by a later piaa: use that one",
                              b->path);
    if (tables)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%.700s is a database of something else: name another file with "
                              "--book",
                              b->path);
    return update_schema(b, 0, error);
}

static bool prepare(piaa_book *b, piaa_error *error) {
    for (int i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v3(b->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &b->statements[i], NULL) != SQLITE_OK)
            return sql_error(b, error);
        sqlite3_bind_text(b->statements[i], 1, b->person, -1, SQLITE_STATIC);
    }
    return true;
}

static bool open_file(piaa_book *b, piaa_error *error) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(b->path, &b->db, flags, NULL) != SQLITE_OK) return sql_error(b, error);
    sqlite3_busy_timeout(b->db, PATIENCE_MS);
    sqlite3_db_config(b->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(b->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(b->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return execute(b, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", error) &&
           settle_schema(b, error) && prepare(b, error);
}

piaa_book *piaa_book_open(const char *path, const char *person, piaa_error *error) {
    piaa_book *b = piaa_alloc(1, sizeof *b, error);
    if (!b) return NULL;
    if ((b->path = path ? piaa_path_absolute(path, error) : usual_path(error)) &&
        (b->person = piaa_strdup(person, error)) && open_file(b, error))
        return b;
    piaa_book_close(b);
    return NULL;
}

void piaa_book_close(piaa_book *b) {
    if (!b) return;
    for (int i = 0; i < STATEMENTS; i++) sqlite3_finalize(b->statements[i]);
    sqlite3_close(b->db);
    free(b->path);
    free(b->person);
    free(b);
}

const char *piaa_book_where(const piaa_book *b) {
    return b->path;
}

/* -------------------------------------------------------------------------------------- changes */

static sqlite3_stmt *ready(piaa_book *b, int which, const char *path) {
    sqlite3_stmt *s = b->statements[which];
    sqlite3_reset(s);
    if (path) sqlite3_bind_text(s, 2, path, -1, SQLITE_TRANSIENT);
    return s;
}

static void bind_score(sqlite3_stmt *s, int at, double score) {
    if (isnan(score))
        sqlite3_bind_null(s, at);
    else
        sqlite3_bind_double(s, at, score);
}

static const char *column_text(sqlite3_stmt *s, int at) {
    return (const char *)sqlite3_column_text(s, at);
}

static double column_score(sqlite3_stmt *s, int at) {
    return sqlite3_column_type(s, at) == SQLITE_NULL ? NAN : sqlite3_column_double(s, at);
}

static bool finish(piaa_book *b, sqlite3_stmt *s, piaa_error *error) {
    const bool ok = sqlite3_step(s) == SQLITE_DONE || sql_error(b, error);
    sqlite3_reset(s);
    return ok;
}

static bool find(piaa_book *b, const char *path, double *score, piaa_error *error) {
    sqlite3_stmt *s = ready(b, FIND, path);
    const int code = sqlite3_step(s);
    *score = code == SQLITE_ROW ? sqlite3_column_double(s, 0) : NAN;
    const bool ok = code == SQLITE_ROW || code == SQLITE_DONE || sql_error(b, error);
    sqlite3_reset(s);
    return ok;
}

static bool put(piaa_book *b, const char *path, double score, piaa_error *error) {
    sqlite3_stmt *s = ready(b, isnan(score) ? CLEAR : SET, path);
    if (!isnan(score)) {
        sqlite3_bind_double(s, 3, score);
        sqlite3_bind_int64(s, 4, (sqlite3_int64)time(NULL));
    }
    return finish(b, s, error);
}

static bool note_change(piaa_book *b, const char *path, double before, double after,
                        piaa_error *error) {
    sqlite3_stmt *s = ready(b, ADD_CHANGE, path);
    bind_score(s, 3, before);
    bind_score(s, 4, after);
    return finish(b, s, error);
}

/* What `ok` says of the steps since BEGIN, for good. */
static bool commit(piaa_book *b, bool ok, piaa_error *error) {
    if (ok && execute(b, "COMMIT", error)) return true;
    sqlite3_exec(b->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

bool piaa_book_rate(piaa_book *b, const char *path, double score, piaa_error *error) {
    double before;
    if (!execute(b, "BEGIN IMMEDIATE", error)) return false;
    return commit(b,
                  find(b, path, &before, error) && put(b, path, score, error) &&
                      note_change(b, path, before, score, error),
                  error);
}

/* The pair's two photos and its answer, of a statement of either table. */
static sqlite3_stmt *ready_pair(piaa_book *b, int which, const char *one, const char *other,
                                double win) {
    sqlite3_stmt *s = ready(b, which, one);
    sqlite3_bind_text(s, 3, other, -1, SQLITE_TRANSIENT);
    bind_score(s, 4, win);
    return s;
}

static bool add_pair(piaa_book *b, const char *one, const char *other, double win,
                     piaa_error *error) {
    if (!finish(b, ready_pair(b, ADD_PAIR_CHANGE, one, other, win), error)) return false;
    sqlite3_stmt *s = ready_pair(b, ADD_PAIR, one, other, win);
    sqlite3_bind_int64(s, 5, (sqlite3_int64)time(NULL));
    return finish(b, s, error);
}

bool piaa_book_compare(piaa_book *b, const char *one, const char *other, double win,
                       piaa_error *error) {
    return execute(b, "BEGIN IMMEDIATE", error) &&
           commit(b, add_pair(b, one, other, win, error), error);
}

static bool add_picks(piaa_book *b, const piaa_book_pick *picks, size_t count, piaa_error *error) {
    if (!finish(b, ready(b, ADD_PICK_CHANGE, picks[0].path), error)) return false;
    const sqlite3_int64 number = sqlite3_last_insert_rowid(b->db);
    for (size_t i = 0; i < count; i++) {
        sqlite3_stmt *s = ready(b, ADD_PICK, picks[i].path);
        sqlite3_bind_int64(s, 3, number);
        sqlite3_bind_int(s, 4, picks[i].kept);
        sqlite3_bind_int64(s, 5, (sqlite3_int64)time(NULL));
        if (!finish(b, s, error)) return false;
    }
    return true;
}

bool piaa_book_pick_all(piaa_book *b, const piaa_book_pick *picks, size_t count,
                        piaa_error *error) {
    return !count || (execute(b, "BEGIN IMMEDIATE", error) &&
                      commit(b, add_picks(b, picks, count, error), error));
}

/* What the change of this number added to another table. */
static bool drop(piaa_book *b, int which, int64_t number, piaa_error *error) {
    sqlite3_stmt *s = ready(b, which, NULL);
    sqlite3_bind_int64(s, 2, number);
    return finish(b, s, error);
}

static bool read_change(sqlite3_stmt *s, piaa_book_change *out, piaa_error *error) {
    const char *other = column_text(s, 4);
    out->before = column_score(s, 2);
    out->after = column_score(s, 3);
    out->picks = sqlite3_column_int(s, 5) != 0;
    return (out->path = piaa_strdup(column_text(s, 1), error)) &&
           (!other || (out->other = piaa_strdup(other, error)));
}

static bool take_back(piaa_book *b, piaa_book_change *out, piaa_error *error) {
    sqlite3_stmt *s = ready(b, LAST_CHANGE, NULL);
    const int code = sqlite3_step(s);
    const int64_t number = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    const bool ok = code == SQLITE_DONE ||
                    (code == SQLITE_ROW ? read_change(s, out, error) : sql_error(b, error));
    sqlite3_reset(s);
    if (!ok || !out->path) return ok;
    s = ready(b, MARK_UNDONE, NULL);
    sqlite3_bind_int64(s, 2, number);
    return finish(b, s, error) && (out->picks   ? drop(b, DROP_PICKS, number, error)
                                   : out->other ? drop(b, DROP_PAIR, number, error)
                                                : put(b, out->path, out->before, error));
}

bool piaa_book_undo(piaa_book *b, piaa_book_change *undone, piaa_error *error) {
    *undone = (piaa_book_change){0};
    if (execute(b, "BEGIN IMMEDIATE", error) && commit(b, take_back(b, undone, error), error))
        return true;
    piaa_book_change_free(undone);
    return false;
}

void piaa_book_change_free(piaa_book_change *change) {
    free(change->path);
    free(change->other);
    *change = (piaa_book_change){0};
}

/* ----------------------------------------------------------------------------------------- rows */

/* Who is handed every row: one of these. */
typedef struct taker {
    bool (*rating)(void *user, const char *path, double score);
    bool (*pair)(void *user, const char *one, const char *other, double win);
    bool (*pick)(void *user, const char *path, bool kept);
    bool (*person)(void *user, const char *person);
    void *user;
} taker;

static bool hand(const taker *to, sqlite3_stmt *row) {
    if (to->rating) return to->rating(to->user, column_text(row, 0), sqlite3_column_double(row, 1));
    if (to->pair)
        return to->pair(to->user, column_text(row, 0), column_text(row, 1), column_score(row, 2));
    if (to->pick) return to->pick(to->user, column_text(row, 0), sqlite3_column_int(row, 1) != 0);
    return to->person(to->user, column_text(row, 0));
}

static bool walk(piaa_book *b, int which, taker to, piaa_error *error) {
    sqlite3_stmt *s = ready(b, which, NULL);
    int code;
    bool ok = true;
    while ((code = sqlite3_step(s)) == SQLITE_ROW && (ok = hand(&to, s)))
        ;
    ok = ok && (code == SQLITE_DONE || sql_error(b, error));
    sqlite3_reset(s);
    return ok;
}

bool piaa_book_each(piaa_book *b, bool (*take)(void *user, const char *path, double score),
                    void *user, piaa_error *error) {
    return walk(b, EACH, (taker){.rating = take, .user = user}, error);
}

bool piaa_book_each_pair(piaa_book *b,
                         bool (*take)(void *user, const char *one, const char *other, double win),
                         void *user, piaa_error *error) {
    return walk(b, EACH_PAIR, (taker){.pair = take, .user = user}, error);
}

bool piaa_book_each_pick(piaa_book *b, bool (*take)(void *user, const char *path, bool kept),
                         void *user, piaa_error *error) {
    return walk(b, EACH_PICK, (taker){.pick = take, .user = user}, error);
}

bool piaa_book_people(piaa_book *b, bool (*take)(void *user, const char *person), void *user,
                      piaa_error *error) {
    return walk(b, PEOPLE, (taker){.person = take, .user = user}, error);
}

typedef struct list {
    piaa_rating *items; /* paths owned */
    size_t count, capacity;
    piaa_error *error;
} list;

static bool add_rating(void *user, const char *path, double score) {
    list *l = user;
    if (!piaa_grow(&l->items, &l->capacity, l->count + 1, sizeof *l->items, l->error)) return false;
    char *copy = piaa_strdup(path, l->error);
    if (copy) l->items[l->count++] = (piaa_rating){.path = copy, .score = score};
    return copy != NULL;
}

piaa_ratings *piaa_book_ratings(piaa_book *b, piaa_error *error) {
    list l = {.error = error};
    piaa_ratings *ratings = NULL;
    const bool ok = piaa_book_each(b, add_rating, &l, error);
    if (ok && l.count)
        ratings = piaa_ratings_from(b->path, l.items, l.count, error);
    else if (ok)
        piaa_error_set(error, PIAA_MISMATCH,
                       "%.700s holds no ratings of %.100s: rate some with piaa browse", b->path,
                       b->person);
    for (size_t i = 0; i < l.count; i++) free((char *)(uintptr_t)l.items[i].path);
    free(l.items);
    return ratings;
}
