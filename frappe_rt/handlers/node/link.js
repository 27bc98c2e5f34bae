// The connection to the server: one JSON object a line, both ways (docs/handlers.md).
//
// Written lines wait for the end of the event loop's turn, so that what a burst of events answers
// goes out in one write. Knows nothing of sockets and rooms.

"use strict";

const net = require("node:net");

const MAX_LINE = 16 << 20; // the protocol's
const FLUSH_AT = 64 << 10; // a turn that writes more than this does not wait for its end
const MAX_OWED = 64 << 20; // what a server that does not read may make this process hold
const NEWLINE = 10;

class Link {
    /**
     * `hear(message)` gets each line; `end(why)` is called once, when the connection is over.
     * `beforeFlush()` may add lines to what is about to be written.
     */
    constructor({ hear, end, beforeFlush, log }) {
        this.hear = hear;
        this.end = end;
        this.beforeFlush = beforeFlush;
        this.log = log;
        this.pieces = []; // the beginning of a line whose end has not come
        this.piecesSize = 0;
        this.out = "";
        this.scheduled = false;
        this.lost = 0; // emits dropped since they were last reported
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

    /** Whatever is wrong with one line, the lines behind it are heard. */
    take(line) {
        try {
            this.hear(JSON.parse(line));
        } catch (error) {
            this.log(`skipped a line of the server: ${error.message}`);
        }
    }

    /** A message without which the server and this process would disagree; never dropped. */
    send(message) {
        this.write(toLine(message));
    }

    /** An emit: dropped, counted and logged while the server owes more reading than MAX_OWED. */
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
        this.beforeFlush(); // what it adds needs no flush of its own
        this.scheduled = false;
        const { out } = this;
        if (!out) return;
        this.out = "";
        if (this.stream.writable) this.stream.write(out);
    }

    /** Writes what is owed, then ends; `end` is called as after any other end. */
    close() {
        this.flush();
        this.stream.end();
    }
}

function toLine(message) {
    const line = JSON.stringify(message);
    if (line.length * 3 < MAX_LINE) return line; // no character takes more bytes than three
    const size = Buffer.byteLength(line);
    if (size < MAX_LINE) return line;
    const what = message.e === undefined ? message.op : `emit ${JSON.stringify(message.e)}`;
    throw new RangeError(
        `cannot ${what}: ${size} bytes of JSON, a line to the server holds ${MAX_LINE}`,
    );
}

module.exports = { Link, MAX_LINE };
