/** The WebSocket to the server: connects again by itself, and says when it did, as messages may have been missed. */
import { type BinaryMessage, parseBinary, parseMessage, type ServerMessage } from "./messages.ts";

export type Connection = "connecting" | "open" | "closed";

export interface SocketListener {
  readonly onMessage: (message: ServerMessage) => void;
  readonly onBinary: (message: BinaryMessage) => void;
  readonly onConnection: (connection: Connection) => void;
}

const FIRST_DELAY = 300;
const LONGEST_DELAY = 5000;

export class ServerSocket {
  private socket: WebSocket | null = null;
  private delay = FIRST_DELAY;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private isStopped = false;
  private readonly url: string;
  private readonly listener: SocketListener;

  constructor(url: string, listener: SocketListener) {
    this.url = url;
    this.listener = listener;
  }

  connect(): void {
    this.listener.onConnection("connecting");
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.addEventListener("open", () => {
      this.delay = FIRST_DELAY;
      // The server reads the flags only from a client's first message.
      socket.send(JSON.stringify({ type: "feature_flags", data: { supports_preview_metadata: true } }));
      this.listener.onConnection("open");
    });
    socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => this.receive(data));
    socket.addEventListener("close", () => this.reconnect());
  }

  close(): void {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.socket?.close();
  }

  private receive(data: string | ArrayBuffer): void {
    if (typeof data === "string") {
      const message = parseMessage(data);
      if (message) this.listener.onMessage(message);
    } else {
      const message = parseBinary(data);
      if (message) this.listener.onBinary(message);
    }
  }

  private reconnect(): void {
    if (this.isStopped) return;
    this.listener.onConnection("closed");
    this.timer = setTimeout(() => this.connect(), this.delay);
    this.delay = Math.min(this.delay * 1.6, LONGEST_DELAY);
  }
}
