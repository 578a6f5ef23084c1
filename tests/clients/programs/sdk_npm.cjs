// Drives a supervisor with @gitpod/sdk: node sdk_npm.cjs SCENARIO ARGUMENTS. Prints one JSON object.
//
// Runs in the client's own folder, which is where its packages are. Base URL and token are where the client looks for
// them, in the environment.

'use strict';

const require_ = require('node:module').createRequire(`${process.cwd()}/`);
const { Gitpod } = require_('@gitpod/sdk');
const { runCommand, runService } = require_('@gitpod/sdk/lib/automation');

// Collects events from the moment it is made, and lets one wait for what they bring about.
class Watcher {
  static async start(client, environmentId) {
    const watcher = new Watcher();
    watcher.controller = new AbortController();
    watcher.stream = await client.events.watch({ environmentId }, { signal: watcher.controller.signal });
    watcher.events = [];
    watcher.wake = () => {};
    watcher.ended = watcher.collect();
    return watcher;
  }

  async until(look) {
    for (;;) {
      const came = new Promise((resolve) => (this.wake = resolve));
      const found = await look();
      if (found) return found;
      await came;
    }
  }

  async stop() {
    this.controller.abort();
    await this.ended;
    return this.events;
  }

  async collect() {
    try {
      for await (const event of this.stream) {
        this.events.push([event.operation, event.resourceType, event.resourceId]);
        this.wake();
      }
    } catch (error) {
      if (!this.controller.signal.aborted) throw error;
    }
  }
}

async function collect(iterable) {
  const found = [];
  for await (const item of iterable) found.push(item);
  return found;
}

async function refusal(call) {
  try {
    await call;
    return null;
  } catch (error) {
    return { class: error.constructor.name, status: error.status, code: error.code, message: error.message };
  }
}

const scenarios = {
  // `runCommand` for one command after the other.
  async commands(client, { environmentId, commands }) {
    const ran = [];
    for (const command of commands) {
      const lines = await collect(await runCommand(client, environmentId, command));
      const [execution] = (await client.environments.automations.tasks.executions.list({})).taskExecutions;
      ran.push({ lines, phase: execution.status.phase });
    }
    return { ran, tasks: (await client.environments.automations.tasks.list({})).tasks };
  },

  // `runService`; then the service is stopped, which ends the stream.
  async service(client, { environmentId, metadata, spec, count }) {
    const lines = (await runService(client, environmentId, metadata, spec))[Symbol.asyncIterator]();
    const head = [];
    while (head.length < count) head.push((await lines.next()).value);
    const [service] = (await client.environments.automations.services.list({})).services;
    await client.environments.automations.services.stop({ id: service.id });
    return { head, rest: await collect({ [Symbol.asyncIterator]: () => lines }), service };
  },

  // Create, list, start, watch, stop, delete; then the same for a task.
  async lives(client, { environmentId }) {
    const { services, tasks } = client.environments.automations;
    const watcher = await Watcher.start(client, environmentId);
    const { service } = await services.create({
      environmentId,
      metadata: { reference: 'web', name: 'Web', triggeredBy: [{ manual: true }] },
      spec: { commands: { start: 'sleep 1000', ready: 'true' } },
    });
    await services.update({ id: service.id, metadata: { description: 'from Node' } });
    const listed = await services.list({ filter: { references: ['web'], environmentIds: [environmentId] } });
    const reached = (phase) =>
      watcher.until(async () => {
        const found = (await services.retrieve({ id: service.id })).service;
        return found.status.phase === `SERVICE_PHASE_${phase}` && found;
      });
    await services.start({ id: service.id });
    const running = await reached('RUNNING');
    await services.stop({ id: service.id });
    const stopped = await reached('STOPPED');
    await services.delete({ id: service.id, force: true });
    await watcher.until(() => refusal(services.retrieve({ id: service.id })));

    const { task } = await tasks.create({
      environmentId,
      metadata: { reference: 'build', name: 'Build' },
      spec: { command: 'echo building; exit 7' },
    });
    const { taskExecution } = await tasks.start({ id: task.id });
    const failed = await watcher.until(async () => {
      const found = (await tasks.executions.retrieve({ id: taskExecution.id })).taskExecution;
      return found.status.phase === 'TASK_EXECUTION_PHASE_FAILED' && found;
    });
    const executions = await collect(tasks.executions.list({ filter: { taskIds: [task.id] } }));
    await tasks.executions.stop({ id: taskExecution.id });
    await tasks.delete({ id: task.id });
    const environment = (await client.environments.retrieve({ environmentId })).environment;
    await client.environments.markActive({ environmentId, activitySignal: { source: 'editor' } });
    return {
      service,
      listed: listed.services,
      running,
      stopped,
      failed,
      executions: executions.map((execution) => execution.id),
      environment,
      events: await watcher.stop(),
    };
  },

  // More tasks than one page holds, as the client pages by itself.
  async pages(client, { environmentId, count }) {
    const { tasks } = client.environments.automations;
    for (let number = 0; number < count; number++) {
      const metadata = { reference: `task-${number}`, name: `Task ${number}` };
      await tasks.create({ environmentId, metadata, spec: { command: 'true' } });
    }
    const byItself = [];
    for await (const task of tasks.list({})) {
      byItself.push(task.metadata.reference);
      if (byItself.length > 2 * count) break; // it would go on for ever
    }
    return { byItself };
  },

  // What the client makes of refusals.
  async errors(client, { environmentId }) {
    const { tasks } = client.environments.automations;
    const nobody = client.withOptions({ bearerToken: 'nonsense' });
    const unknown = { environmentId: '00000000-0000-4000-8000-000000000000' };
    return {
      not_found: await refusal(tasks.retrieve({ id: environmentId })),
      invalid_argument: await refusal(tasks.retrieve({ id: 'no-uuid' })),
      unauthenticated: await refusal(nobody.environments.automations.tasks.list({})),
      'not_found of a stream': await refusal(client.events.watch(unknown)),
    };
  },
};

const [scenario, text] = process.argv.slice(2);
const deadline = setTimeout(() => {
  console.error('the scenario was not done in time');
  process.exit(1);
}, 25_000);
scenarios[scenario](new Gitpod(), JSON.parse(text)).then(
  (found) => {
    clearTimeout(deadline);
    console.log(JSON.stringify(found));
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
