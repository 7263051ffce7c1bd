/**
 * Brings the topics back that a data path has.
 *
 * @module
 */

import type { Logger } from "../base/logger.ts";
import { inSlices, type Slice, TimeSlice } from "../base/time_slice.ts";
import type { Broker, StoreFactory } from "../broker/broker.ts";
import { isValidTopicName } from "../protocol/names.ts";
import { topicFolder } from "../storage/file_stores.ts";
import type { MetadataFile } from "./metadata.ts";

/**
 * Makes the topics and channels of the metadata file, and those that have messages and are not in it: after a crash, when
 * it is lost, or when the messages were `imported`. It takes a while, in which others have their turn.
 *
 * @throws {Error} When the file cannot be used.
 */
export async function loadTopics(
  broker: Broker,
  from: {
    readonly metadata: Pick<MetadataFile, "load">;
    readonly stores: Pick<StoreFactory, "names">;
    readonly imported?: ReadonlySet<string> | undefined;
    readonly logger: Logger;
    /** @default {as long as others can wait} */
    readonly slice?: Slice;
  },
): Promise<void> {
  const { slice = new TimeSlice() } = from;
  await from.metadata.load(broker, slice);
  await inSlices(from.stores.names(), (name) => {
    if (!isValidTopicName(name)) {
      // An earlier version could be made to take such a name. No client could ask for the topic, so it is not made up again.
      from.logger.error(
        `TOPIC(${name}): ${JSON.stringify(name)} is no name of a topic: what is in "${
          topicFolder(name)
        }" is kept and not delivered; ` +
          "to have it, rename that folder to <name>.topic while nsqd is stopped",
      );
      return;
    }
    // The file says which channels there are, but for those that it could not know of.
    const isKnown = broker.topics.has(name) && !from.imported?.has(name);
    if (!isKnown) broker.recoverTopic(name).restoreChannels();
  }, slice);
  await inSlices(broker.topics.values(), (topic) => topic.start(), slice);
}
