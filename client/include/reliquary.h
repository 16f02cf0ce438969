/*
 * Message channels of the Reliquary hypervisor, for software in one of its VMs: the calls of
 * docs/reference/channels.md as inline functions, for A64 (messages of up to 64 bytes) and for A32
 * and T32 of Armv7-A (up to 16). They are for EL1 or a privileged mode; no library is needed.
 *
 * Each returns RELIQUARY_SUCCESS or one of the negative numbers below.
 */
#ifndef RELIQUARY_H
#define RELIQUARY_H

#include <stdint.h>

#define RELIQUARY_SUCCESS 0
#define RELIQUARY_NOT_SUPPORTED (-1)
#define RELIQUARY_INVALID_PARAMETER (-3)
#define RELIQUARY_BAD_HANDLE (-16)
#define RELIQUARY_NOT_PERMITTED (-17)
#define RELIQUARY_FULL (-18)
#define RELIQUARY_EMPTY (-19)
#define RELIQUARY_TIMED_OUT (-20)
#define RELIQUARY_INTERRUPTED (-21)
#define RELIQUARY_PEER_DOWN (-22)
#define RELIQUARY_RESET (-23)
#define RELIQUARY_BUSY (-24)
#define RELIQUARY_STALE (-25)
#define RELIQUARY_SIZE (-26)

/* The longest wait in nanoseconds; AArch32 has 32 bits of it, 4.29 s. */
#define RELIQUARY_WAIT_MAX_NS UINT64_C(60000000000)

#if defined(__aarch64__)
#define RELIQUARY_BYTES_MAX 64
typedef uint64_t reliquary_register;
#define RELIQUARY_SERVICE 0xc6000000u
#elif defined(__arm__)
#define RELIQUARY_BYTES_MAX 16
typedef uint32_t reliquary_register;
#define RELIQUARY_SERVICE 0x86000000u
#else
#error "reliquary.h is for AArch64 and AArch32"
#endif

#define RELIQUARY_MESSAGE_REGISTERS (RELIQUARY_BYTES_MAX / sizeof(reliquary_register))

/* The registers of a call: the function and the status, three arguments or results, a message. */
struct reliquary_call {
	reliquary_register r[4 + RELIQUARY_BYTES_MAX / sizeof(reliquary_register)];
};

static inline int reliquary_hvc(uint32_t function, struct reliquary_call *call)
{
	reliquary_register *r = call->r;

	r[0] = RELIQUARY_SERVICE | function;
#if defined(__aarch64__)
	{
		register uint64_t x0 __asm__("x0") = r[0];
		register uint64_t x1 __asm__("x1") = r[1];
		register uint64_t x2 __asm__("x2") = r[2];
		register uint64_t x3 __asm__("x3") = r[3];
		register uint64_t x4 __asm__("x4") = r[4];
		register uint64_t x5 __asm__("x5") = r[5];
		register uint64_t x6 __asm__("x6") = r[6];
		register uint64_t x7 __asm__("x7") = r[7];
		register uint64_t x8 __asm__("x8") = r[8];
		register uint64_t x9 __asm__("x9") = r[9];
		register uint64_t x10 __asm__("x10") = r[10];
		register uint64_t x11 __asm__("x11") = r[11];

		__asm__ volatile("hvc #0"
			: "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5),
			  "+r"(x6), "+r"(x7), "+r"(x8), "+r"(x9), "+r"(x10), "+r"(x11)
			: : "memory");
		r[0] = x0; r[1] = x1; r[2] = x2; r[3] = x3;
		r[4] = x4; r[5] = x5; r[6] = x6; r[7] = x7;
		r[8] = x8; r[9] = x9; r[10] = x10; r[11] = x11;
	}
#else
	{
		/* r7 may be the frame pointer: all eight are kept on the stack. */
		register reliquary_register *at __asm__("r12") = r;

		__asm__ volatile(
			".arch_extension virt\n\t"
			"push {r4, r5, r6, r7}\n\t"
			"ldm r12, {r0, r1, r2, r3, r4, r5, r6, r7}\n\t"
			"hvc #0\n\t"
			"stm r12, {r0, r1, r2, r3, r4, r5, r6, r7}\n\t"
			"pop {r4, r5, r6, r7}"
			: : "r"(at) : "r0", "r1", "r2", "r3", "memory");
	}
#endif
	return (int32_t)r[0];
}

/* Puts a message into a call's registers; RELIQUARY_SIZE if it is too long. */
static inline int reliquary_put(struct reliquary_call *call, const void *message, uint32_t bytes)
{
	const uint8_t *from = (const uint8_t *)message;
	uint32_t n;

	if (bytes > RELIQUARY_BYTES_MAX)
		return RELIQUARY_SIZE;
	for (n = 0; n < RELIQUARY_MESSAGE_REGISTERS; n++)
		call->r[4 + n] = 0;
	for (n = 0; n < bytes; n++)
		call->r[4 + n / sizeof(reliquary_register)] |=
			(reliquary_register)from[n] << (n % sizeof(reliquary_register) * 8);
	return RELIQUARY_SUCCESS;
}

/* Takes the message out, whose size is in the second register. `into` has RELIQUARY_BYTES_MAX bytes. */
static inline uint32_t reliquary_get(const struct reliquary_call *call, void *into)
{
	uint8_t *to = (uint8_t *)into;
	uint32_t n;

	for (n = 0; n < RELIQUARY_BYTES_MAX; n++)
		to[n] = (uint8_t)(call->r[4 + n / sizeof(reliquary_register)] >>
				  (n % sizeof(reliquary_register) * 8));
	return (uint32_t)call->r[1];
}

static inline reliquary_register reliquary_wait(uint64_t ns)
{
#if defined(__aarch64__)
	return ns;
#else
	return ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
#endif
}

/* FNV-1a of a channel's name. */
static inline uint32_t reliquary_hash(const char *name)
{
	uint32_t hash = 0x811c9dc5u;

	while (*name)
		hash = (hash ^ (uint8_t)*name++) * 0x01000193u;
	return hash;
}

/* How many channels the VM holds. */
static inline int reliquary_count(uint32_t *count)
{
	struct reliquary_call call = { { 0 } };
	int status = reliquary_hvc(0x0, &call);

	*count = (uint32_t)call.r[1];
	return status;
}

/* What a channel is: whether the VM receives, the largest message, how many it holds. */
static inline int reliquary_describe(uint32_t handle, int *receives, uint32_t *bytes, uint32_t *depth)
{
	struct reliquary_call call = { { 0, handle } };
	int status = reliquary_hvc(0x1, &call);

	*receives = (int)(call.r[1] & 1);
	*bytes = (uint32_t)(call.r[2] & 0xffff);
	*depth = (uint32_t)(call.r[2] >> 16);
	return status;
}

/* The memory that a channel's messages tell of: where the VM has it, and its size; 0 without one. */
static inline int reliquary_memory(uint32_t handle, reliquary_register *at, reliquary_register *bytes)
{
	struct reliquary_call call = { { 0, handle } };
	int status = reliquary_hvc(0x1, &call);

	*at = call.r[4];
	*bytes = call.r[5];
	return status;
}

/* The handle of the channel of this name. */
static inline int reliquary_find(const char *name, uint32_t *handle)
{
	struct reliquary_call call = { { 0, reliquary_hash(name) } };
	int status = reliquary_hvc(0x2, &call);

	*handle = (uint32_t)call.r[1];
	return status;
}

/* Sends a message. */
static inline int reliquary_send(uint32_t handle, const void *message, uint32_t bytes)
{
	struct reliquary_call call = { { 0, handle, bytes } };
	int status = reliquary_put(&call, message, bytes);

	return status ? status : reliquary_hvc(0x3, &call);
}

/* Receives a message, for which it waits. `number` is the call that it makes, or 0. */
static inline int reliquary_receive(uint32_t handle, uint64_t wait_ns, void *into, uint32_t *bytes,
				    uint32_t *number)
{
	struct reliquary_call call = { { 0, handle, reliquary_wait(wait_ns) } };
	int status = reliquary_hvc(0x4, &call);

	if (status == RELIQUARY_SUCCESS) {
		*bytes = reliquary_get(&call, into);
		*number = (uint32_t)call.r[2];
	}
	return status;
}

/* Sends a message and waits for its answer, which has room for RELIQUARY_BYTES_MAX bytes. */
static inline int reliquary_ask(uint32_t handle, const void *message, uint32_t bytes,
				uint64_t wait_ns, void *answer, uint32_t *answer_bytes)
{
	struct reliquary_call call = { { 0, handle, bytes, reliquary_wait(wait_ns) } };
	int status = reliquary_put(&call, message, bytes);

	if (status == RELIQUARY_SUCCESS)
		status = reliquary_hvc(0x5, &call);
	if (status == RELIQUARY_SUCCESS)
		*answer_bytes = reliquary_get(&call, answer);
	return status;
}

/* Waits again for the answer to a call that was interrupted; with 0 it is given up. */
static inline int reliquary_wait_again(uint32_t handle, uint64_t wait_ns, void *answer,
				       uint32_t *answer_bytes)
{
	struct reliquary_call call = { { 0, handle, reliquary_wait(wait_ns) } };
	int status = reliquary_hvc(0x6, &call);

	if (status == RELIQUARY_SUCCESS)
		*answer_bytes = reliquary_get(&call, answer);
	return status;
}

/* Answers a call. */
static inline int reliquary_reply(uint32_t handle, uint32_t number, const void *message,
				  uint32_t bytes)
{
	struct reliquary_call call = { { 0, handle, bytes, number } };
	int status = reliquary_put(&call, message, bytes);

	return status ? status : reliquary_hvc(0x7, &call);
}

/* Sets bits at the other end. */
static inline int reliquary_notify(uint32_t handle, uint64_t bits)
{
	struct reliquary_call call = { { 0, handle, (reliquary_register)bits } };

#if !defined(__aarch64__)
	call.r[3] = (uint32_t)(bits >> 32);
#endif
	return reliquary_hvc(0x8, &call);
}

/* Takes the bits that are set, and clears them. */
static inline int reliquary_take(uint32_t handle, uint64_t *bits)
{
	struct reliquary_call call = { { 0, handle } };
	int status = reliquary_hvc(0x9, &call);

	*bits = call.r[1];
#if !defined(__aarch64__)
	*bits |= (uint64_t)call.r[2] << 32;
#endif
	return status;
}

/* The handles at which something is pending, waited for if there is none: bit n is handle n. */
static inline int reliquary_pending(uint64_t wait_ns, uint32_t *handles)
{
	struct reliquary_call call = { { 0, reliquary_wait(wait_ns) } };
	int status = reliquary_hvc(0xa, &call);

	*handles = (uint32_t)call.r[1];
	return status;
}

#endif
