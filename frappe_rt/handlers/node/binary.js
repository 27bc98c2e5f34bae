// Binary arguments. On the link each is a placeholder in the JSON, and base64 text beside it.

"use strict";

const MAX_ATTACHMENTS = 10; // limit of the protocol

function isBinary(value) {
    return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function hasBinary(value) {
    if (value === null || typeof value !== "object") return false;
    if (isBinary(value)) return true;
    if (Array.isArray(value)) return value.some(hasBinary);
    const written = asWritten(value);
    if (written !== value) return hasBinary(written);
    for (const key in value) if (Object.hasOwn(value, key) && hasBinary(value[key])) return true;
    return false;
}

/** What JSON.stringify would write. Check for binary values first: a Buffer has a toJSON, too. */
function asWritten(value) {
    return typeof value.toJSON === "function" ? value.toJSON() : value;
}

function toBuffer(value) {
    return value instanceof ArrayBuffer
        ? Buffer.from(value)
        : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function replace(value, found) {
    if (value === null || typeof value !== "object") return value;
    if (isBinary(value)) {
        found.push(toBuffer(value).toString("base64"));
        return { _placeholder: true, num: found.length - 1 };
    }
    if (Array.isArray(value)) return value.map((item) => replace(item, found));
    const written = asWritten(value);
    if (written !== value) return replace(written, found);
    const copy = {};
    for (const key in value) if (Object.hasOwn(value, key)) copy[key] = replace(value[key], found);
    return copy;
}

/** Adds arguments to a message as its member `a`, and their attachments as `b`. */
function pack(message, args) {
    if (!args.some(hasBinary)) {
        message.a = args;
        return message;
    }
    const found = [];
    message.a = args.map((arg) => replace(arg, found));
    if (found.length > MAX_ATTACHMENTS)
        throw new RangeError(
            `cannot emit ${found.length} binary values at once, ${MAX_ATTACHMENTS} are the most; ` +
                "join them into one Buffer",
        );
    message.b = found;
    return message;
}

function restore(value, buffers) {
    if (value === null || typeof value !== "object") return value;
    if (value._placeholder === true && Number.isInteger(value.num) && buffers[value.num])
        return buffers[value.num];
    for (const key of Object.keys(value)) value[key] = restore(value[key], buffers);
    return value;
}

/** The arguments of a message from the server, with Buffers in place of the placeholders. */
function unpack(message) {
    const args = Array.isArray(message.a) ? message.a : [];
    if (!message.b?.length) return args;
    const buffers = message.b.map((text) => Buffer.from(text, "base64"));
    return args.map((arg) => restore(arg, buffers));
}

module.exports = { pack, unpack };
