import pg from 'pg';
import { Parser } from 'pg-protocol/dist/parser.js';

/** What the driver has of a parser and of a connection, though its types do not say so. */
interface DriverParser {
  parse(bytes: Buffer, heard: (message: { name: string }) => void): void;
  handlePacket(start: number, code: number, length: number, bytes: Buffer): { name: string };
}
interface DriverConnection {
  _emitMessage: boolean;
  emit(event: string, message: object): void;
  attachListeners(stream: NodeJS.ReadableStream): void;
}

/** A row as the driver passes it on, whose columns become strings only where somebody asks for them. */
export class RowMessage {
  readonly name = 'dataRow';

  /** `start` and `end`: where in `bytes` the row is, which may be overwritten once the message has been heard. */
  constructor(
    readonly length: number,
    readonly bytes: Buffer,
    readonly start: number,
    readonly end: number,
  ) {}

  get fields(): (string | null)[] {
    const { bytes, start } = this;
    const fields: (string | null)[] = [];
    let at = start + 2;
    for (let left = bytes.readInt16BE(start); left > 0; left -= 1) {
      const length = bytes.readInt32BE(at);
      at += 4;
      fields.push(length < 0 ? null : bytes.toString('utf8', at, at + length));
      if (length > 0) at += length;
    }
    return fields;
  }
}

/** PostgreSQL's manual, "Message Formats", DataRow. */
const DATA_ROW = 0x44;
/** Of a message's length, which counts itself. */
const LENGTH_BYTES = 4;

class RowParser extends (Parser as unknown as new () => DriverParser) {
  override handlePacket(start: number, code: number, length: number, bytes: Buffer): { name: string } {
    return code === DATA_ROW
      ? new RowMessage(length, bytes, start, start + length - LENGTH_BYTES)
      : super.handlePacket(start, code, length, bytes);
  }
}

/** The driver's client, whose rows can be had as bytes: to make a string of each column takes longer than anything else that the driver does. */
export class RowClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    const { connection } = this as unknown as { connection: DriverConnection };
    connection.attachListeners = (stream) => {
      const parser = new RowParser();
      const heard = (message: { name: string }) => {
        if (connection._emitMessage) connection.emit('message', message);
        connection.emit(message.name === 'error' ? 'errorMessage' : message.name, message);
      };
      stream.on('data', (bytes: Buffer) => parser.parse(bytes, heard));
    };
  }
}
