// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TDX module model's account of pages.
 *
 * It keeps a reference to each page that it was ever given. So it can tell
 * whether the host has freed it, and whether it did so before the module let go
 * of it, or without clearing what the module had written.
 */
#include <kunit/test.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/processor.h>

#include "tdx_model_internal.h"

/* What the module writes looks like this to the host, but for the key. */
#define MODEL_PATTERN	0xe7

/* No allocations later: calls come with interrupts off. */
int tdx_model_alloc_pages(void)
{
	unsigned int nr = roundup_pow_of_two(tdx_model.config.max_pages);

	tdx_model.hash_bits = ilog2(nr);
	tdx_model.pages = vcalloc(tdx_model.config.max_pages, sizeof(*tdx_model.pages));
	tdx_model.hash = vcalloc(nr, sizeof(*tdx_model.hash));
	tdx_model.gpa_hash = vcalloc(nr, sizeof(*tdx_model.gpa_hash));
	return tdx_model.pages && tdx_model.hash && tdx_model.gpa_hash ? 0 : -ENOMEM;
}

struct tdx_model_page *tdx_model_find(unsigned long pfn)
{
	struct hlist_head *head = &tdx_model.hash[hash_long(pfn, tdx_model.hash_bits)];
	struct tdx_model_page *page;

	hlist_for_each_entry(page, head, node)
		if (page->pfn == pfn)
			return page;
	return NULL;
}

/**
 * tdx_model_page() - the module's metadata of a page
 * @pa: its address; bits of a KeyID above are ignored
 *
 * Return: the metadata, or NULL if there is no such page.
 */
struct tdx_model_page *tdx_model_page(u64 pa)
{
	unsigned long pfn = (pa & (BIT_ULL(boot_cpu_data.x86_phys_bits) - 1)) >> PAGE_SHIFT;
	struct tdx_model_page *page = tdx_model_find(pfn);

	if (page || !pfn_valid(pfn))
		return page;
	if (tdx_model.nr_pages == tdx_model.config.max_pages) {
		tdx_model_violation("no metadata left");
		return NULL;
	}
	page = &tdx_model.pages[tdx_model.nr_pages++];
	page->pfn = pfn;
	page->page = pfn_to_page(pfn);
	if (!get_page_unless_zero(page->page)) {
		tdx_model_violation("page %lx is nobody's", pfn);
		page->page = NULL;
	}
	hlist_add_head(&page->node, &tdx_model.hash[hash_long(pfn, tdx_model.hash_bits)]);
	return page;
}

static bool tdx_model_kept(struct tdx_model_page *page)
{
	return page->page && page_ref_count(page->page) > 1;
}

/* The module writes to a page; from now on the host has to clear it. */
void tdx_model_write(struct tdx_model_page *page)
{
	if (!tdx_model_kept(page))
		tdx_model_violation("page %lx was given, and is free", page->pfn);
	if (page->page)
		memset(page_address(page->page), MODEL_PATTERN, PAGE_SIZE);
}

/* The page is the module's. */
void tdx_model_take(struct tdx_model_page *page, enum tdx_model_pt type,
		    struct tdx_model_td *td)
{
	tdx_model_write(page);
	page->type = type;
	page->td = td;
	if (type != MODEL_PT_TDR)
		td->children++;
}

static struct hlist_head *tdx_model_gpa_head(struct tdx_model_td *td, u64 gpa)
{
	return &tdx_model.gpa_hash[hash_64(gpa ^ (unsigned long)td, tdx_model.hash_bits)];
}

/* The guest has a private page there. */
void tdx_model_map(struct tdx_model_page *page, u64 gpa)
{
	page->gpa = gpa;
	page->blocked = false;
	hlist_add_head(&page->gpa_node, tdx_model_gpa_head(page->td, gpa));
}

struct tdx_model_page *tdx_model_find_gpa(struct tdx_model_td *td, u64 gpa)
{
	struct tdx_model_page *page;

	hlist_for_each_entry(page, tdx_model_gpa_head(td, gpa), gpa_node)
		if (page->td == td && page->gpa == gpa)
			return page;
	return NULL;
}

/* The page is the host's again. */
void tdx_model_return(struct tdx_model_page *page)
{
	if (!tdx_model_kept(page))
		tdx_model_violation("page %lx was freed too early", page->pfn);
	if (page->type != MODEL_PT_TDR)
		page->td->children--;
	if (page->type == MODEL_PT_REG)
		hlist_del_init(&page->gpa_node);
	page->type = MODEL_PT_NDA;
	page->td = NULL;
	page->vp = NULL;
}

static bool tdx_model_is_clear(struct tdx_model_page *page)
{
	return !memchr_inv(page_address(page->page), 0, PAGE_SIZE);
}

/**
 * tdx_model_audit() - look at all pages
 *
 * Each page that the module has must be kept by the host, and each that the
 * host has freed must be clear, and a TDR written back.
 */
void tdx_model_audit(void)
{
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&tdx_model.lock, flags);
	for (i = 0; i < tdx_model.nr_pages; i++) {
		struct tdx_model_page *page = &tdx_model.pages[i];

		if (!page->page)
			continue;
		if (page->lock)
			tdx_model_violation("page %lx is locked", page->pfn);
		if (tdx_model_kept(page))
			continue;
		if (page->type != MODEL_PT_NDA)
			tdx_model_violation("page %lx is freed, and the module's", page->pfn);
		else if (page->cached)
			tdx_model_violation("TDR %lx is not written back", page->pfn);
		else if (!tdx_model_is_clear(page))
			tdx_model_violation("page %lx is not clear", page->pfn);
	}
	raw_spin_unlock_irqrestore(&tdx_model.lock, flags);
}

/* Forget all pages, and free what the host has leaked, as it must have. */
void tdx_model_release_pages(void)
{
	unsigned int i;

	for (i = 0; i < tdx_model.nr_pages; i++) {
		struct tdx_model_page *page = &tdx_model.pages[i];
		bool leaked = page->type != MODEL_PT_NDA && tdx_model_kept(page);

		if (!page->page)
			continue;
		put_page(page->page);
		if (leaked)
			put_page(page->page);
	}
	vfree(tdx_model.pages);
	vfree(tdx_model.hash);
	vfree(tdx_model.gpa_hash);
}

/* Pages that the module has not given back. */
unsigned long tdx_model_owned_pages(void)
{
	unsigned long n = 0, flags;
	unsigned int i;

	raw_spin_lock_irqsave(&tdx_model.lock, flags);
	for (i = 0; i < tdx_model.nr_pages; i++)
		n += tdx_model.pages[i].type != MODEL_PT_NDA;
	raw_spin_unlock_irqrestore(&tdx_model.lock, flags);
	return n;
}

/* Pages that the host has not freed, the module's or not. */
unsigned long tdx_model_kept_pages(void)
{
	unsigned long n = 0, flags;
	unsigned int i;

	raw_spin_lock_irqsave(&tdx_model.lock, flags);
	for (i = 0; i < tdx_model.nr_pages; i++)
		n += tdx_model_kept(&tdx_model.pages[i]);
	raw_spin_unlock_irqrestore(&tdx_model.lock, flags);
	return n;
}
