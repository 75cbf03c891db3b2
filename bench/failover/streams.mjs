// Many gRPC streams of one method on one connection, by frames of HTTP/2 written and read here. What a client's library
// does for each stream costs several times what the server does: where thousands of agents share one machine with the
// master that is measured, they must cost next to nothing. The server can't tell the difference.
import { connect } from "node:net";

const type = { data: 0, headers: 1, resetStream: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 };
const flag = { endStream: 1, acknowledged: 1, endHeaders: 4 };
/** What either side may send before it is told that it may send more, at first. */
const windowAtFirst = 65_535;
const frameHeadBytes = 9;
const messageHeadBytes = 5;
/** Bytes of one frame, as long as nobody has said otherwise. */
const frameBytesMax = 16_384;

/** A message as `send` and `open` take it: in parts that fit into frames. */
export function messageOf(bytes) {
  const whole = Buffer.concat([Buffer.from([0]), uint32(bytes.length), bytes]);
  const parts = [];
  for (let at = 0; at < whole.length; at += frameBytesMax) parts.push(whole.subarray(at, at + frameBytesMax));
  return parts;
}

/**
 * Opens a connection. `events` are told of it: `ready()` when streams may be opened, `message(key, bytes)` for each message,
 * `ended(key)` when a stream was ended or refused, `closed()` when the connection is over, and with it all its streams.
 */
export function openStreams(address, path, events) {
  const [host, port] = [
    address.slice(0, address.lastIndexOf(":")),
    Number(address.slice(address.lastIndexOf(":") + 1)),
  ];
  const socket = connect(port, host);
  socket.setNoDelay(true);
  const firstHeaders = headerBlock(path, address, false);
  const laterHeaders = headerBlock(path, address, true);
  /** Keys of streams that are open, by number; and the numbers. */
  const keys = new Map();
  const numbers = new Map();
  let lastNumber = -1;
  let window = windowAtFirst;
  let received = 0;
  let rest = Buffer.alloc(0);
  /** Frames of data that the connection's window does not take yet, and how many of them have gone meanwhile. */
  let waiting = [];
  let gone = 0;
  /** Frames that this turn of the loop has produced. */
  let parts = [];

  const write = (...frames) => {
    if (parts.length === 0) setImmediate(flush);
    parts.push(...frames);
  };
  const flush = () => {
    const all = Buffer.concat(parts);
    parts = [];
    if (!socket.destroyed) socket.write(all);
  };
  const sendData = () => {
    for (; gone < waiting.length && waiting[gone].length - frameHeadBytes <= window; gone++) {
      window -= waiting[gone].length - frameHeadBytes;
      write(waiting[gone]);
    }
    if (gone < waiting.length) return;
    waiting = [];
    gone = 0;
  };
  const end = (number) => {
    const key = keys.get(number);
    if (key === undefined) return;
    keys.delete(number);
    numbers.delete(key);
    events.ended(key);
  };
  const take = (kind, flags, number, body) => {
    if (kind === type.data) {
      received += body.length;
      const key = keys.get(number);
      if (key !== undefined) for (const message of messagesIn(body)) events.message(key, message);
    }
    if ((kind === type.data || kind === type.headers) && (flags & flag.endStream) !== 0) end(number);
    else if (kind === type.resetStream) end(number);
    else if (kind === type.settings && (flags & flag.acknowledged) === 0)
      write(frame(type.settings, flag.acknowledged, 0, Buffer.alloc(0)));
    else if (kind === type.ping && (flags & flag.acknowledged) === 0)
      write(frame(type.ping, flag.acknowledged, 0, Buffer.from(body)));
    else if (kind === type.windowUpdate && number === 0) {
      window += body.readUInt32BE(0);
      sendData();
    } else if (kind === type.goAway) socket.destroy();
  };

  socket.on("connect", () => {
    write(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(type.settings, 0, 0, Buffer.alloc(0)));
    events.ready();
  });
  socket.on("data", (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= frameHeadBytes) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < frameHeadBytes + length) break;
      const body = bytes.subarray(at + frameHeadBytes, at + frameHeadBytes + length);
      take(bytes[at + 3], bytes[at + 4], bytes.readUInt32BE(at + 5), body);
      at += frameHeadBytes + length;
    }
    rest = bytes.subarray(at);
    if (received < windowAtFirst / 2) return;
    write(frame(type.windowUpdate, 0, 0, uint32(received)));
    received = 0;
  });
  socket.on("error", () => {});
  socket.on("close", () => events.closed());

  return {
    /** Opens a stream that is known by a key, with its first message. */
    open(key, message) {
      const headers = lastNumber === -1 ? firstHeaders : laterHeaders;
      lastNumber += 2;
      keys.set(lastNumber, key);
      numbers.set(key, lastNumber);
      write(frame(type.headers, flag.endHeaders, lastNumber, headers));
      this.send(key, message);
    },
    send(key, message) {
      const number = numbers.get(key);
      if (number === undefined) return;
      for (const part of message) waiting.push(frame(type.data, 0, number, part));
      sendData();
    },
    close: () => socket.destroy(),
  };
}

function frame(kind, flags, number, body) {
  const bytes = Buffer.allocUnsafe(frameHeadBytes + body.length);
  bytes.writeUIntBE(body.length, 0, 3);
  bytes[3] = kind;
  bytes[4] = flags;
  bytes.writeUInt32BE(number, 5);
  body.copy(bytes, frameHeadBytes);
  return bytes;
}

function uint32(value) {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

/** A server's answers to agents that register are small: none is spread over frames. */
function* messagesIn(body) {
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32BE(at + 1);
    at += messageHeadBytes + length;
    if (at > body.length) throw new Error("a message is spread over frames");
    yield body.subarray(at - length, at);
  }
}

/** The headers that a client of grpc-js sends. The first of a connection are remembered by the server, later ones point at them. */
function headerBlock(path, authority, known) {
  const remembered = [
    [4, "", path],
    [1, "", authority],
    [31, "", "application/grpc"],
    [0, "te", "trailers"],
    [58, "", "grpc-node-js/1.14.7"],
    [0, "grpc-accept-encoding", "identity,deflate,gzip"],
    [16, "", "identity"],
  ];
  // POST and http stand in the table that every server has.
  const parts = [Buffer.from([0x83, 0x86])];
  // The last one that was remembered has the number 62.
  for (const [index, [nameIndex, name, value]] of remembered.entries())
    if (known) parts.push(Buffer.from([0x80 | (61 + remembered.length - index)]));
    else parts.push(Buffer.from([0x40 | nameIndex]), name === "" ? Buffer.alloc(0) : textOf(name), textOf(value));
  return Buffer.concat(parts);
}

function textOf(text) {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "latin1")]);
}
