import type { PackageDefinition } from "@grpc/proto-loader";
import type protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor/index.js";

interface FieldDescriptor {
  typeName?: string;
  proto3Optional?: boolean;
  oneofIndex?: number;
}

interface MessageDescriptor {
  name: string;
  options?: { mapEntry?: boolean };
  field?: FieldDescriptor[];
  nestedType?: MessageDescriptor[];
  enumType?: { name: string }[];
  oneofDecl?: { name: string }[];
}

interface FileDescriptor {
  package: string;
  edition?: number;
  messageType?: MessageDescriptor[];
}

const fileType = (descriptor as unknown as { FileDescriptorProto: protobuf.Type }).FileDescriptorProto;

/**
 * The files of the definitions with descriptors that stock tools accept: proto-loader names the types of fields relative
 * to their message, which only readers of its own make can follow, drops the "Entry" from the names of map entries, and
 * does not mark the oneof that stands for `optional`. Each file comes with one of its definitions only: every definition
 * bears its whole file, and a reader who decodes them all delays a master's start by half a second.
 */
export function withStrictDescriptors(definitions: PackageDefinition): PackageDefinition {
  const seen = new Set<Buffer>();
  const result: PackageDefinition = {};
  for (const [name, definition] of Object.entries(definitions)) {
    const files: Buffer[] = Array.isArray(definition.fileDescriptorProtos) ? definition.fileDescriptorProtos : [];
    if (files.every((bytes) => seen.has(bytes))) continue;
    for (const bytes of files) seen.add(bytes);
    result[name] = { ...definition, fileDescriptorProtos: files.map(strictFile) } as PackageDefinition[string];
  }
  return result;
}

function strictFile(bytes: Buffer): Buffer {
  const file = fileType.decode(bytes) as unknown as FileDescriptor;
  for (const message of file.messageType ?? [])
    qualify(message, `.${file.package}`, `.${file.package}.${message.name}`);
  delete file.edition;
  return Buffer.from(fileType.encode(file as unknown as protobuf.Message).finish());
}

function qualify(message: MessageDescriptor, packageName: string, path: string): void {
  const children = message.nestedType ?? [];
  const nested = new Set([...children, ...(message.enumType ?? [])].map((child) => child.name));
  for (const field of message.field ?? []) {
    const oneof = field.oneofIndex === undefined ? undefined : message.oneofDecl?.[field.oneofIndex]?.name;
    if (oneof?.startsWith("_") && Object.hasOwn(field, "oneofIndex")) field.proto3Optional = true;
    if (!field.typeName || field.typeName.startsWith(".")) continue;
    const entry = children.find((child) => child.name === field.typeName && child.options?.mapEntry);
    const name = entry ? `${field.typeName}Entry` : field.typeName;
    field.typeName = nested.has(field.typeName) ? `${path}.${name}` : `${packageName}.${name}`;
  }
  for (const child of children) {
    qualify(child, packageName, `${path}.${child.name}`);
    if (child.options?.mapEntry) child.name += "Entry";
  }
}
