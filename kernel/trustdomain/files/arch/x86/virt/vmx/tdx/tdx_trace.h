/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tdx

#if !defined(_TRACE_TDX_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_TDX_H

#include <linux/pid.h>
#include <linux/tracepoint.h>
#include <asm/tdx_td.h>

TRACE_DEFINE_ENUM(TDX_TD_NONE);
TRACE_DEFINE_ENUM(TDX_TD_ASSIGNED);
TRACE_DEFINE_ENUM(TDX_TD_CONFIGURED);
TRACE_DEFINE_ENUM(TDX_TD_INITIALIZED);
TRACE_DEFINE_ENUM(TDX_TD_BLOCKED);
TRACE_DEFINE_ENUM(TDX_TD_TEARDOWN);
TRACE_DEFINE_ENUM(TDX_TD_RECLAIMED);
TRACE_DEFINE_ENUM(TDX_TD_LEAKED);

#define show_tdx_td_state(state)			\
	__print_symbolic(state,				\
		{ TDX_TD_NONE, "none" },		\
		{ TDX_TD_ASSIGNED, "assigned" },	\
		{ TDX_TD_CONFIGURED, "configured" },	\
		{ TDX_TD_INITIALIZED, "initialized" },	\
		{ TDX_TD_BLOCKED, "blocked" },		\
		{ TDX_TD_TEARDOWN, "teardown" },	\
		{ TDX_TD_RECLAIMED, "reclaimed" },	\
		{ TDX_TD_LEAKED, "leaked" })

/* A trust domain goes from one state to the next. */
TRACE_EVENT(tdx_td_state,
	    TP_PROTO(const struct tdx_td *td, enum tdx_td_state from, enum tdx_td_state to),
	    TP_ARGS(td, from, to),

	    TP_STRUCT__entry(__field(pid_t,	pid)
			     __field(u32,	hkid)
			     __field(u32,	from)
			     __field(u32,	to)
	    ),

	    TP_fast_assign(__entry->pid		= pid_nr(td->owner);
			   __entry->hkid	= td->hkid;
			   __entry->from	= from;
			   __entry->to		= to;
	    ),

	    TP_printk("pid %d hkid %u: %s -> %s", __entry->pid, __entry->hkid,
		      show_tdx_td_state(__entry->from), show_tdx_td_state(__entry->to))
);

/* The TDX module did not give back what it got for a trust domain. */
TRACE_EVENT(tdx_td_leak,
	    TP_PROTO(const struct tdx_td *td, const struct tdx_leak_info *leak),
	    TP_ARGS(td, leak),

	    TP_STRUCT__entry(__field(pid_t,	pid)
			     __field(u32,	hkid)
			     __field(u64,	pages)
			     __field(u64,	leaf)
			     __field(u64,	status)
	    ),

	    TP_fast_assign(__entry->pid		= pid_nr(td->owner);
			   __entry->hkid	= leak->hkid;
			   __entry->pages	= leak->pages;
			   __entry->leaf	= leak->leaf;
			   __entry->status	= leak->status;
	    ),

	    TP_printk("pid %d hkid %u pages %llu: leaf %llu status 0x%llx", __entry->pid,
		      __entry->hkid, __entry->pages, __entry->leaf, __entry->status)
);

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE tdx_trace
#endif /* _TRACE_TDX_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
