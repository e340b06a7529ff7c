// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Ultravisor model's account of donated storage.
 *
 * It keeps a reference to all that was donated. So it can tell whether KVM has
 * freed it, and whether it did so before the Ultravisor let go of it.
 *
 * Locking: the model serializes the calls that come here.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "uv_model.h"
#include "uv_storage.h"

/* Storage that KVM has given away; only the first page has a refcount. */
struct uv_storage {
	struct list_head node;
	struct page *page;
	unsigned int order;
	void *area;		/* whole vmalloc area, in its first page's entry */
	u64 owner;
	bool donated;
};

static LIST_HEAD(uv_storages);

/**
 * uv_storage_hold() - note that storage was donated
 * @page: its first page
 * @order: its size
 * @area: the vmalloc area that begins with it, or NULL
 * @owner: handle of what it was donated for
 *
 * Return: false if there is no memory for the note.
 */
bool uv_storage_hold(struct page *page, unsigned int order, void *area, u64 owner)
{
	struct uv_storage *storage;

	/* A top level table comes back if its guest was torn down at once. */
	list_for_each_entry(storage, &uv_storages, node) {
		if (storage->page == page) {
			storage->owner = owner;
			storage->donated = true;
			return true;
		}
	}

	storage = kzalloc(sizeof(*storage), GFP_KERNEL);
	if (!storage)
		return false;
	get_page(page);
	storage->page = page;
	storage->order = order;
	storage->area = area;
	storage->owner = owner;
	storage->donated = true;
	list_add_tail(&storage->node, &uv_storages);
	return true;
}

static bool uv_storage_kept(struct uv_storage *storage)
{
	return page_ref_count(storage->page) > 1;
}

/**
 * uv_storage_give_back() - note that KVM may free what it gave
 * @owner: handle of what is gone
 *
 * Return: false if KVM had freed some of it already.
 */
bool uv_storage_give_back(u64 owner)
{
	struct uv_storage *storage;
	bool ok = true;

	list_for_each_entry(storage, &uv_storages, node) {
		if (storage->owner != owner || !storage->donated)
			continue;
		ok &= uv_storage_kept(storage);
		storage->donated = false;
	}
	return ok;
}

static void uv_storage_free(struct uv_storage *storage)
{
	bool kept = uv_storage_kept(storage);

	put_page(storage->page);
	if (!kept)
		return;
	/* KVM has leaked it, as it must if the Ultravisor does not let go. */
	if (storage->area)
		vfree(storage->area);
	else if (storage->order)
		free_pages((unsigned long)page_to_virt(storage->page), storage->order);
}

/**
 * uv_storage_release() - forget all storage, and free what KVM has leaked
 */
void uv_storage_release(void)
{
	struct uv_storage *storage, *next;

	/* Last first: a leaked area is freed with its first page. */
	list_for_each_entry_safe_reverse(storage, next, &uv_storages, node) {
		uv_storage_free(storage);
		list_del(&storage->node);
		kfree(storage);
	}
}

/* Pages that the Ultravisor has not given back. */
unsigned long uv_model_donated_pages(void)
{
	struct uv_storage *storage;
	unsigned long n = 0;

	list_for_each_entry(storage, &uv_storages, node)
		n += storage->donated ? 1UL << storage->order : 0;
	return n;
}

/* Pages that KVM has not freed, donated or not. */
unsigned long uv_model_kept_pages(void)
{
	struct uv_storage *storage;
	unsigned long n = 0;

	list_for_each_entry(storage, &uv_storages, node)
		n += uv_storage_kept(storage) ? 1UL << storage->order : 0;
	return n;
}
