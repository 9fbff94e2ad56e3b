/* SPDX-License-Identifier: Apache-2.0
 *
 * A doubly linked ring with a head, for objects that are on at most one list at a time per link.
 */
#ifndef WEIR_LIST_H
#define WEIR_LIST_H

#include "base/base.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_is_empty(const struct list *l) { return l->next == l; }
/* A link that is all zero is on no list. */
static inline bool list_is_linked(const struct list *l) { return l->next != NULL; }
static inline void list_push_back(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}
static inline void list_push_front(struct list *head, struct list *l)
{
    list_push_back(head->next, l);
}
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    l->next = l->prev = NULL;
}
static inline struct list *list_pop_front(struct list *head)
{
    struct list *l = head->next;
    if (l == head)
        return NULL;
    list_remove(l);
    return l;
}

#endif
