// Submits and reads through a profile of the network, by the official client of Fabric.
//
// Standard input is what `commonwatt network profile` prints and a call, as JSON:
//   {"profile": {...}, "user": "admin", "submit": ["name", {...}], "evaluate": ["name", {...}]}
// Standard output is what came of it, as JSON:
//   {"transaction": "...", "block": "7", "submitted": {...}, "evaluated": {...}}

import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';

import * as grpc from '@grpc/grpc-js';
import { connect, hash, signers } from '@hyperledger/fabric-gateway';

const DEADLINE_MS = 60_000;

async function open(profile, user) {
  const [peer] = profile.peers;
  const credentials = grpc.credentials.createSsl(await readFile(peer.tls_root));
  const client = new grpc.Client(peer.endpoint, credentials);
  const files = profile.users[user];
  const deadline = () => ({ deadline: Date.now() + DEADLINE_MS });
  const gateway = connect({
    client,
    identity: { mspId: profile.msp, credentials: await readFile(files.certificate) },
    signer: signers.newPrivateKeySigner(createPrivateKey(await readFile(files.key))),
    hash: hash.sha256,
    evaluateOptions: deadline,
    endorseOptions: deadline,
    submitOptions: deadline,
    commitStatusOptions: deadline,
  });
  return { client, gateway };
}

function read(answer) {
  return JSON.parse(Buffer.from(answer).toString('utf8'));
}

async function run({ profile, user, submit, evaluate }) {
  const { client, gateway } = await open(profile, user);
  try {
    const contract = gateway.getNetwork(profile.channel).getContract(profile.contract);
    const [name, submitted] = submit;
    const commit = await contract.submitAsync(name, { arguments: [JSON.stringify(submitted)] });
    const status = await commit.getStatus();
    if (!status.successful) {
      throw new Error(`${status.transactionId} was judged ${status.code}`);
    }
    const [question, asked] = evaluate;
    const answer = await contract.evaluate(question, {
      arguments: [JSON.stringify(asked), 'read'],
    });
    return {
      transaction: status.transactionId,
      block: String(status.blockNumber),
      submitted: read(commit.getResult()),
      evaluated: read(answer),
    };
  } finally {
    gateway.close();
    client.close();
  }
}

process.stdout.write(JSON.stringify(await run(JSON.parse(await text(process.stdin)))));
