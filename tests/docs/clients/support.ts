// What the programs beside this file share; each gets the service's address as its argument.
declare const process: { argv: string[]; pid: number };

export const serviceUrl: string = process.argv[2] ?? "";

export const someAddress = () => `${process.pid}.${Date.now()}@example.org`;

export function equal(found: unknown, expected: unknown) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${one} is not ${other}`);
}
