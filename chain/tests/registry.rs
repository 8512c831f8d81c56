//! The registries on a development chain: agents, requests, answers, and who may do what.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::common;
use common::{DEPOSITOR, OPERATOR, World, refused};
use probity_chain::{Address, Identities, Validations, keccak};

#[tokio::test]
async fn answers_come_from_the_chosen_validator_and_are_read_back_whole() {
    let world = World::stand_in().await;
    let (owner, validator) = (world.account(OPERATOR).await, world.account(DEPOSITOR).await);
    let identities = Identities::deploy(&owner).await.unwrap();
    let registry = Validations::deploy(&owner, identities.address()).await.unwrap();
    assert_eq!(registry.identities().await.unwrap().address(), identities.address());

    let first = identities.register(&owner, "ipfs://agent").await.unwrap();
    let agent = identities.register(&owner, "").await.unwrap();
    assert_eq!((first, agent), (0.into(), 1.into()));
    assert_eq!(
        (identities.owner(first).await.unwrap(), identities.wallet(first).await.unwrap(), identities.uri(first).await.unwrap()),
        (owner.address(), owner.address(), "ipfs://agent".to_owned())
    );
    assert!(identities.owner(7.into()).await.is_err());

    let hash = keccak(b"what is asked");
    assert_eq!(registry.status(hash).await.unwrap(), None);
    assert_eq!(registry.answers(hash, 0).await.unwrap(), vec![]);
    refused(
        registry.ask(&validator, validator.address(), agent, "", hash).await,
        &format!("NotOwnerOrOperator(caller: {:?}, agentId: 1)", validator.address()),
    );
    refused(registry.ask(&owner, Address::zero(), agent, "", hash).await, "NoValidator");
    let asked = registry.ask(&owner, validator.address(), agent, "https://run.example/request.json", hash).await.unwrap();
    assert_eq!((asked.validator, asked.agent_id, asked.uri.as_str()), (validator.address(), agent, "https://run.example/request.json"));
    assert_eq!(registry.requested(hash, 0).await.unwrap(), Some(asked));
    let words = |name: &str| format!("{name}(requestHash: 0x{})", hex::encode(hash));
    refused(registry.ask(&owner, owner.address(), agent, "", hash).await, &words("AlreadyRequested"));
    let before = registry.status(hash).await.unwrap().unwrap();
    assert_eq!((before.response, before.response_hash, before.tag.as_str()), (0, [0; 32], ""));

    let document = keccak(b"a document");
    refused(
        registry.answer(&owner, hash, 100, "", document, "tag").await,
        &format!("NotTheValidator(expected: {:?})", validator.address()),
    );
    refused(registry.answer(&validator, hash, 101, "", document, "tag").await, "ResponseOutOfRange(most: 100)");
    let other = keccak(b"never asked");
    refused(
        registry.answer(&validator, other, 100, "", document, "tag").await,
        &format!("UnknownRequest(requestHash: 0x{})", hex::encode(other)),
    );
    let one = registry.answer(&validator, hash, 40, "ipfs://soft", keccak(b"a draft"), "soft").await.unwrap();
    let two = registry.answer(&validator, hash, 100, "ipfs://hard", document, "hard").await.unwrap();
    assert_eq!((two.response, two.hash, two.uri.as_str(), two.tag.as_str()), (100, document, "ipfs://hard", "hard"));
    let status = registry.status(hash).await.unwrap().unwrap();
    assert_eq!((status.validator, status.agent_id), (validator.address(), agent));
    assert_eq!((status.response, status.response_hash, status.tag.as_str()), (100, document, "hard"));
    assert!(status.last_update_s >= before.last_update_s);
    let after_the_first = one.block_number + 1;
    assert_eq!(registry.answers(hash, 0).await.unwrap(), vec![one, two.clone()]);
    assert_eq!(registry.answers(hash, after_the_first).await.unwrap(), vec![two]);

    // An address without a contract is no registry, and not one that knows nothing.
    let nowhere = Validations::at(world.chain.url(), owner.address()).unwrap();
    assert!(nowhere.status(hash).await.unwrap_err().to_string().contains("expected a contract"));
}
