// The connection to the server: one JSON object a line, both ways (docs/handlers.md).
//
// Lines are written at the end of the event loop's turn, so a burst of answers is one write. Must not
// know sockets and rooms.

"use strict";

const net = require("node:net");

const MAX_LINE = 16 << 20; // bytes, limit of the protocol
const FLUSH_AT = 64 << 10; // bytes; with more than this, write before the end of the turn
const MAX_OWED = 64 << 20; // bytes kept for a server that does not read
const NEWLINE = 10;

class Link {
    /**
     * `hear(message)` gets each line; `end(why)` is called once, when the connection has ended.
     * `beforeFlush()` may add lines to the next write.
     */
    constructor({ hear, end, beforeFlush, log }) {
        this.hear = hear;
        this.end = end;
        this.beforeFlush = beforeFlush;
        this.log = log;
        this.pieces = []; // the first parts of an unfinished line
        this.piecesSize = 0;
        this.out = "";
        this.scheduled = false;
        this.lost = 0; // emits dropped since the last report
        this.flush = this.flush.bind(this);
    }

    open(path, firstLine) {
        let error = null;
        this.stream = net.createConnection(path);
        this.stream.on("data", (chunk) => this.read(chunk));
        this.stream.on("error", (problem) => (error = problem));
        this.stream.on("close", () => this.end(error));
        this.stream.write(`${JSON.stringify(firstLine)}\n`);
    }

    read(chunk) {
        const last = chunk.lastIndexOf(NEWLINE);
        if (last < 0) return this.keep(chunk);
        let text;
        if (this.pieces.length) {
            this.pieces.push(chunk.subarray(0, last));
            text = Buffer.concat(this.pieces).toString();
            this.pieces = [];
            this.piecesSize = 0;
        } else {
            text = chunk.toString("utf8", 0, last);
        }
        if (last + 1 < chunk.length) this.keep(chunk.subarray(last + 1));
        for (let at = 0; at <= text.length;) {
            let end = text.indexOf("\n", at);
            if (end < 0) end = text.length;
            if (end > at) this.take(text.slice(at, end));
            at = end + 1;
        }
    }

    keep(piece) {
        this.pieces.push(piece);
        this.piecesSize += piece.length;
        if (this.piecesSize > MAX_LINE)
            this.stream.destroy(new Error(`the server sent a line above ${MAX_LINE} bytes`));
    }

    /** A line that fails is skipped; the next lines are still handled. */
    take(line) {
        try {
            this.hear(JSON.parse(line));
        } catch (error) {
            this.log(`skipped a line of the server: ${error.message}`);
        }
    }

    /** Sends a message that must arrive, or server and host disagree. Never drops it. */
    send(message) {
        this.write(toLine(message));
    }

    /** Sends an emit. Drops, counts and logs it while more than MAX_OWED bytes wait. */
    sendEmit(message) {
        const line = toLine(message);
        if (this.owed() + line.length > MAX_OWED) {
            if (this.lost++ === 0) setTimeout(() => this.reportLost(), 1000).unref();
            return false;
        }
        this.write(line);
        return true;
    }

    owed() {
        return this.out.length + (this.stream?.writableLength ?? 0);
    }

    reportLost() {
        this.log(
            `dropped ${this.lost} emits: the server has not read ${MAX_OWED} bytes; ` +
                "emit less at a time",
        );
        this.lost = 0;
    }

    write(line) {
        this.out += `${line}\n`;
        if (this.out.length > FLUSH_AT) return this.flush();
        if (this.scheduled) return;
        this.scheduled = true;
        setImmediate(this.flush);
    }

    flush() {
        this.beforeFlush(); // before `scheduled` is cleared: its lines need no second flush
        this.scheduled = false;
        const { out } = this;
        if (!out) return;
        this.out = "";
        if (this.stream.writable) this.stream.write(out);
    }

    /** Writes all waiting lines, then closes. `end` is called as for any other end. */
    close() {
        this.flush();
        this.stream.end();
    }
}

function toLine(message) {
    const line = JSON.stringify(message);
    if (line.length * 3 < MAX_LINE) return line; // a UTF-16 unit takes at most 3 bytes
    const size = Buffer.byteLength(line);
    if (size < MAX_LINE) return line;
    const what = message.e === undefined ? message.op : `emit ${JSON.stringify(message.e)}`;
    throw new RangeError(
        `cannot ${what}: ${size} bytes of JSON, a line to the server holds ${MAX_LINE}`,
    );
}

module.exports = { Link, MAX_LINE };
